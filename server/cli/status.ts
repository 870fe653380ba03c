/** `slipway status`: what runs where. */
import type { Command } from 'commander';
import type { RunCommand } from './builds.ts';
import { type Api, at, connect, type DeploymentView, type EnvironmentView, type Page } from './client.ts';
import { EXIT, type ExitCode } from './exit.ts';
import { age, paint, printJson, state, table } from './output.ts';

interface Cell {
  environment: string;
  stack: string;
  current: EnvironmentView['stacks'][number]['current'];
  hold: EnvironmentView['stacks'][number]['hold'];
  /** The newest deployment, where it has not become what runs. */
  latest: DeploymentView | null;
}
interface ProjectStatus {
  project: string;
  environments: string[];
  cells: Cell[];
}

export function addStatusCommand(program: Command, run: RunCommand): void {
  program
    .command('status')
    .description('what runs where, and what is on its way')
    .argument('[project]', 'only this one')
    .option('--json', 'print it as JSON')
    .addHelpText('after', '\nExamples:\n  slipway status\n  slipway status shop --json')
    .action((project: string | undefined, options: { json?: boolean }) =>
      run(() => status(connect(), project, options)),
    );
}

async function status(api: Api, only: string | undefined, options: { json?: boolean }): Promise<ExitCode> {
  const projects = only ? [only] : (await api.get<Page<{ slug: string }>>('/projects')).items.map(({ slug }) => slug);
  const all = await Promise.all(projects.map((project) => statusOf(api, project)));
  if (options.json) printJson(all);
  else if (all.length === 0) console.log('There is no project yet.');
  else console.log(all.map(board).join('\n\n'));
  return EXIT.ok;
}

async function statusOf(api: Api, project: string): Promise<ProjectStatus> {
  const { items } = await api.get<Page<EnvironmentView>>(at`/projects/${project}/environments`);
  const cells = await Promise.all(items.map((environment) => cellsOf(api, project, environment)));
  return { project, environments: items.map(({ name }) => name), cells: cells.flat() };
}

async function cellsOf(api: Api, project: string, environment: EnvironmentView): Promise<Cell[]> {
  const path = at`/projects/${project}/environments/${environment.name}/deployments`;
  const deployments = (await api.get<Page<DeploymentView>>(path)).items;
  const stacks = new Map(environment.stacks.map((stack) => [stack.name, stack]));
  const names = new Set([...stacks.keys(), ...deployments.map(({ stack }) => stack)]);
  return [...names].map((name) => {
    const latest = deployments.find(({ stack }) => stack === name);
    const { current = null, hold = null } = stacks.get(name) ?? {};
    return {
      environment: environment.name,
      stack: name,
      current,
      hold,
      latest: latest?.result === 'passed' ? null : (latest ?? null),
    };
  });
}

/** A row a stack, a column an environment; below it what is on its way or went wrong. */
function board({ project, environments, cells }: ProjectStatus): string {
  if (environments.length === 0) return `${paint('bold', project)}\nno environment yet`;
  if (cells.length === 0) return `${paint('bold', project)}\nnothing deployed yet to ${environments.join(', ')}`;
  const stacks = [...new Set(cells.map(({ stack }) => stack))].sort();
  const find = (stack: string, environment: string): Cell | undefined =>
    cells.find((cell) => cell.stack === stack && cell.environment === environment);
  const rows = stacks.map((stack) => [stack, ...environments.map((name) => describe(find(stack, name)))]);
  const header = [project, ...environments].map((title) => paint('bold', title));
  const notes = cells.flatMap(notesOf);
  return [table([header, ...rows]), ...notes].join('\n');
}

function describe(cell: Cell | undefined): string {
  if (!cell?.current) return paint('dim', '– nothing');
  const { release, since, services } = cell.current;
  const healthy = services.every((service) => service.replicas > 0 && service.healthy === service.replicas);
  const word = healthy ? paint('green', `✓ ${release}`) : paint('red', `✗ ${release} unhealthy`);
  return `${word} ${paint('dim', age(Date.now() - Date.parse(since)))}`;
}

function notesOf(cell: Cell): string[] {
  const { latest, hold } = cell;
  const notes: string[] = [];
  if (latest) {
    const why = latest.reason ?? latest.gates.find((gate) => !gate.open)?.message;
    const restored = latest.restored === false ? ' – RESTORING FAILED' : '';
    notes.push(
      `  ${state(latest)} ${cell.stack} ${latest.release} → ${cell.environment} #${latest.number}${why ? `: ${why}` : ''}${restored}`,
    );
  }
  if (hold)
    notes.push(`  ${paint('yellow', '↩ on hold')} ${cell.stack} in ${cell.environment}: ${hold.reason} (${hold.by})`);
  return notes;
}
