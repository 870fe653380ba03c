/** Where a job has its code from. That is no part of a pipeline file: it is told how to set it, as a comment at the top. */
import { faultOfName, faultOfPath, faultOfSourceUrl } from '../../pipelines/values.ts';
import type { Draft } from './draft.ts';
import { at, child, descendants, type Element, summary, textAt } from './xml.ts';

interface Source {
  kind: 'git' | 'svn';
  url: string;
  branches: string[];
}

export function readScm(scm: Element | undefined, draft: Draft): void {
  const type = scm?.attributes.class ?? '';
  if (!scm || type === '' || type.endsWith('NullSCM')) {
    draft.head.push('The job had no source: set one on the pipeline, since a build begins with a checkout.');
  } else if (type.endsWith('GitSCM')) readGit(scm, draft);
  else if (type.endsWith('SubversionSCM')) readSvn(scm, draft);
  else drop(draft, scm, `only Git and SVN can be sources, and this is ${type}`);
}

const drop = (draft: Draft, element: Element, why: string): void => {
  draft.notes.top.push({ line: element.line, text: summary(element), why });
};

function tell(draft: Draft, source: Source, credentials: string): void {
  const body = JSON.stringify({ source }).replaceAll("'", '’');
  draft.head.push(
    'The source is set on the pipeline, not in this file:',
    `  curl -X PUT "$SLIPWAY_URL/api/v1/projects/PROJECT/pipelines/NAME" -H "Authorization: Bearer $SLIPWAY_TOKEN" \\`,
    `    -H 'Content-Type: application/json' -d '${body}'`,
  );
  if (credentials !== '')
    draft.head.push(`  with "credentials" beside "url": Jenkins used those with the id ${credentials}`);
}

/** `git@host:team/shop.git` is left as it is: Git and Slipway know that form. */
function readGit(scm: Element, draft: Draft): void {
  const remotes = descendants(scm, 'hudson.plugins.git.UserRemoteConfig');
  const [remote, ...others] = remotes;
  const branches = descendants(scm, 'hudson.plugins.git.BranchSpec').map((spec) => branchOf(textAt(spec, 'name')));
  const url = textAt(remote, 'url');
  tell(draft, { kind: 'git', url, branches: [...new Set(branches)] }, textAt(remote, 'credentialsId'));
  for (const other of others)
    drop(draft, other, 'a further repository is one of "sources", with a path below the workspace');
  for (const extension of at(scm, 'extensions')?.children ?? []) readExtension(extension, draft);
}

/** `*​/main`, `origin/main` and `refs/heads/main` are `main`; nothing at all, or `**`, is every branch. */
function branchOf(spec: string): string {
  const name = spec.replace(/^:/, '').replace(/^(refs\/heads\/|refs\/remotes\/origin\/|\*\/|origin\/)/, '');
  return name === '' ? '**' : name;
}

function readExtension(extension: Element, draft: Draft): void {
  const name = extension.name.split('.').at(-1) ?? '';
  if (/^(CleanCheckout|CleanBeforeCheckout|WipeWorkspace|CloneOption|LocalBranch|PruneStaleBranch)$/.test(name)) return;
  const why = /PathRestriction/.test(name)
    ? 'see "on: {paths: […]}", with globs'
    : /UserExclusion/.test(name)
      ? 'see "on: {authors: […]}"'
      : /MessageExclusion/.test(name)
        ? 'see "on: {message: …}"'
        : /Submodule|LFS/.test(name)
          ? 'set it on the source of the pipeline'
          : 'the checkout is always of the whole revision';
  drop(draft, extension, why);
}

function readSvn(scm: Element, draft: Draft): void {
  const [first, ...others] = descendants(scm, 'hudson.scm.SubversionSCM_-ModuleLocation');
  const { url, branch } = splitSvn(textAt(first, 'remote'));
  tell(draft, { kind: 'svn', url, branches: [branch] }, textAt(first, 'credentialsId'));
  const local = textAt(first, 'local');
  if (first && local !== '.' && local !== '')
    drop(draft, first, `it was checked out into ${local}, and is the workspace itself here`);
  for (const other of others) addSource(other, draft);
  for (const name of ['excludedRegions', 'includedRegions', 'excludedUsers', 'excludedCommitMessages']) {
    const element = child(scm, name);
    if (element && element.text.trim() !== '') drop(draft, element, 'see "on": paths, authors and message');
  }
}

function addSource(location: Element, draft: Draft): void {
  const { url, branch } = splitSvn(textAt(location, 'remote'));
  const path = textAt(location, 'local').replace(/^(\.\/)+|\/+$/g, '');
  const name = path
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^[^a-z]+|-+$/g, '');
  const fits = faultOfName(name) === null && faultOfPath(path) === null && faultOfSourceUrl(url) === null;
  if (!fits || draft.sources.has(name) || /\$/.test(`${url}${branch}${path}`))
    drop(draft, location, 'a further repository is one of "sources", with a path below the workspace');
  else draft.sources.set(name, { kind: 'svn', url, branch, path });
}

/** Branches of SVN are paths below the address: `https://svn/shop/trunk` is `trunk` of `https://svn/shop`. */
function splitSvn(remote: string): { url: string; branch: string } {
  const plain = remote.replace(/@(HEAD|\d+)$/, '').replace(/\/+$/, '');
  const [, url, branch] =
    /^(.+?)\/(trunk(?:\/.*)?|(?:branches|tags)\/.+)$/.exec(plain) ?? /^(.+:\/\/.+)\/([^/]+)$/.exec(plain) ?? [];
  return { url: url ?? plain, branch: branch ?? 'trunk' };
}
