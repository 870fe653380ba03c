/** `slipway promote`, `slipway approve` and `slipway rollback`. */
import type { Command } from 'commander';
import type { RunCommand } from './builds.ts';
import { type Api, at, connect, type DeploymentView } from './client.ts';
import { type ExitCode, usage } from './exit.ts';
import { report, type WaitOptions } from './wait.ts';

interface PromoteOptions extends WaitOptions {
  stack?: string;
  note?: string;
  at?: string;
}
interface RollbackOptions extends WaitOptions {
  stack?: string;
  to?: string;
  reason: string;
}

export function addDeploymentCommands(program: Command, run: RunCommand): void {
  program
    .command('promote')
    .description('put a release into an environment: the very images that were built')
    .argument('<project>')
    .argument('<release>', 'its version')
    .argument('<environment>')
    .option('--stack <stack>', 'where the project has more than one')
    .option('--note <text>', 'for those who approve and for the record')
    .option('--at <time>', 'not before this time, e.g. 2031-05-04T18:00:00Z')
    .option('--wait', 'wait for the end, approvals included; exit 1 where it does not pass')
    .option('--json', 'print the deployment as JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  slipway promote shop 2.4.1 TEST --wait\n  slipway promote shop 2.4.1 PRO --note "for the sale"',
    )
    .action((project: string, release: string, environment: string, options: PromoteOptions) =>
      run(() => promote(connect(), project, release, environment, options)),
    );

  program
    .command('approve')
    .description('approve a deployment that waits for it')
    .argument('<project>')
    .argument('<environment>')
    .argument('<number>', 'of the deployment, as `slipway status` shows it')
    .option('--comment <text>', 'for the record')
    .option('--wait', 'wait for the end; exit 1 where it does not pass')
    .option('--json', 'print the deployment as JSON')
    .addHelpText('after', '\nExample:\n  slipway approve shop PRO 31 --comment "tested by hand"')
    .action((project: string, environment: string, number: string, options: WaitOptions & { comment?: string }) =>
      run(() => approve(connect(), project, environment, number, options)),
    );

  program
    .command('rollback')
    .description('put an earlier release back; needs no build')
    .argument('<project>')
    .argument('<environment>')
    .requiredOption('--reason <text>', 'for the record')
    .option('--stack <stack>', 'where the project has more than one')
    .option('--to <release>', 'its version (default: the one that ran before)')
    .option('--wait', 'wait for the end; exit 1 where it does not pass')
    .option('--json', 'print the deployment as JSON')
    .addHelpText('after', '\nExample:\n  slipway rollback shop PRO --reason "carts lose items" --wait')
    .action((project: string, environment: string, options: RollbackOptions) =>
      run(() => rollback(connect(), project, environment, options)),
    );
}

async function promote(
  api: Api,
  project: string,
  release: string,
  environment: string,
  options: PromoteOptions,
): Promise<ExitCode> {
  const body = { release, stack: options.stack, note: options.note, at: options.at };
  const asked = await api.post<DeploymentView>(at`/projects/${project}/environments/${environment}/deployments`, body);
  return reportDeployment(api, project, environment, asked, options);
}

async function approve(
  api: Api,
  project: string,
  environment: string,
  number: string,
  options: WaitOptions & { comment?: string },
): Promise<ExitCode> {
  if (!/^[1-9]\d*$/.test(number)) throw usage(`${number} is not the number of a deployment`);
  const path = at`/projects/${project}/environments/${environment}/deployments/${number}`;
  await api.post(`${path}/approve`, { comment: options.comment ?? '' });
  return reportDeployment(api, project, environment, await api.get<DeploymentView>(path), options);
}

async function rollback(api: Api, project: string, environment: string, options: RollbackOptions): Promise<ExitCode> {
  const body = { stack: options.stack, to: options.to, reason: options.reason };
  const asked = await api.post<DeploymentView>(at`/projects/${project}/environments/${environment}/rollback`, body);
  return reportDeployment(api, project, environment, asked, options);
}

const reportDeployment = (
  api: Api,
  project: string,
  environment: string,
  deployment: DeploymentView,
  options: WaitOptions,
): Promise<ExitCode> =>
  report(api, deployment, {
    ...options,
    path: at`/projects/${project}/environments/${environment}/deployments/${deployment.number}`,
    title: `${deployment.stack} ${deployment.release} → ${environment} #${deployment.number}`,
  });
