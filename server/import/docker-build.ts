/** A stage that does nothing but `docker build` and `docker push` is an image step. */

import { faultOfEnvName, faultOfPath, faultOfRepository } from '../../pipelines/values.ts';
import { type ImageBuild, isCommand, type Step } from './draft.ts';
import { lookup } from './lookup.ts';
import { FILE_VALUES, SHELL_VALUES } from './scope.ts';

const ASIDE =
  /^docker (push|login|logout|tag|image (push|tag)|images|rmi|version|info)\b|^echo\b[^|;&]*(\| *docker login\b.*)?$/;

/** Makes it one, with a comment for each of its commands; leaves any other step as it is. */
export function asImageStep(step: Step): void {
  const commands = step.items.filter(isCommand).map(({ script }) => script.trim());
  const builds = commands.filter((each) => /^docker (image )?build\b/.test(each));
  const [only] = builds;
  if (only === undefined || builds.length > 1 || step.matrix.size > 0) return;
  if (!commands.every((each) => each === only || (ASIDE.test(each) && !each.includes('\n')))) return;
  const build = readBuild(only);
  if (!build) return;
  step.build = build;
  const why = 'the image step does this: it builds, and pushes to the registry of the project';
  step.items = step.items.map((item) =>
    item.kind === 'note' ? item : { kind: 'note', note: { line: step.line, text: item.script, why } },
  );
}

/** Null for anything that `build:` does not say, so that nothing of it gets lost. */
export function readBuild(command: string): ImageBuild | null {
  if (/[;|&<>`\n]|\$\(/.test(command)) return null;
  const words = command.match(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g)?.map((word) => word.replace(/["']/g, '')) ?? [];
  const build: ImageBuild = { image: '', args: new Map() };
  const rest = words.slice(words.indexOf('build') + 1);
  for (let at = 0; at < rest.length; at++) {
    const [flag = '', given] = (rest[at] as string).split(/=(.*)/s, 2);
    if (!flag.startsWith('-')) {
      if (build.context !== undefined) return null;
      build.context = rest[at] as string;
    } else if (!['--pull', '--no-cache', '--rm', '--force-rm', '-q'].includes(flag)) {
      const value = given ?? rest[++at];
      if (value === undefined || !setFlag(build, flag, value)) return null;
    }
  }
  return fits(build) ? build : null;
}

function setFlag(build: ImageBuild, flag: string, value: string): boolean {
  if (flag === '-t' || flag === '--tag') {
    // Only one name can be kept; further ones are the same repository under other tags.
    const name = repositoryOf(value);
    if (name === null || (build.image !== '' && build.image !== name)) return false;
    build.image = name;
  } else if (flag === '-f' || flag === '--file') build.dockerfile = value;
  else if (flag === '--target') build.target = value;
  else if (flag === '--build-arg') {
    const [name = '', arg = ''] = value.split(/=(.*)/s, 2);
    const filled = fileValue(arg);
    if (filled === null || faultOfEnvName(name) !== null) return false;
    build.args.set(name, filled);
  } else return false;
  return true;
}

/** `registry.example.com/shop/web:1.2` → `shop/web`. */
function repositoryOf(reference: string): string | null {
  const name = reference.replace(/:(?![^/]*\/)[^:]*$/, '').replace(/^[^/]*[.:][^/]*\/|^\$\{?\w+\}?\//, '');
  return faultOfRepository(name) === null ? name : null;
}

function fileValue(text: string): string | null {
  let known = true;
  const filled = text.replace(/\$\{?(\w+)\}?/g, (_all, name: string) => {
    const value =
      lookup(FILE_VALUES, name) ??
      { SLIPWAY_REVISION: '${revision}', SLIPWAY_BRANCH: '${branch}' }[lookup(SHELL_VALUES, name) ?? ''];
    if (value === undefined) known = false;
    return value ?? '';
  });
  return known ? filled : null;
}

function fits(build: ImageBuild): boolean {
  build.context = build.context?.replace(/^(\.\/)+(?=.)/, '').replace(/(?<=.)\/$/, '') ?? '';
  const paths = [build.context, build.dockerfile].filter((each): each is string => each !== undefined && each !== '.');
  if (build.context === '.') delete build.context;
  return build.image !== '' && paths.every((each) => !each.includes('$') && faultOfPath(each) === null);
}
