/** What a runner gets with a claim: the frozen plan, and only the secrets and credentials this run may have. */
import type { DeploymentPlan, Plan, Run, Target } from '../pipelines/model.ts';
import type { Claim } from '../pipelines/ports.ts';
import type { Vault } from './auth/vault.ts';
import type { Db } from './store/db.ts';
import { engineWithTls, environmentById } from './store/environments.ts';
import { credentialsOf, furtherCredentials, hostOf, pipelineById } from './store/pipelines.ts';
import { registryCredentials, registryOf } from './store/projects.ts';
import { releaseById } from './store/releases.ts';
import { planOf } from './store/runs.ts';
import { secretsForRun } from './store/secrets.ts';
import { stackState } from './store/stacks.ts';

const registryHost = (url: string | undefined): string | undefined => url?.split('/')[0];

export class ClaimFactory {
  readonly #db: Db;
  readonly #vault: Vault;
  readonly #logLimit: number;

  constructor(db: Db, vault: Vault, logLimit: number) {
    this.#db = db;
    this.#vault = vault;
    this.#logLimit = logLimit;
  }

  make(run: Run): Claim {
    const plan = planOf(this.#db, run.id);
    return {
      runId: run.id,
      token: run.token ?? '',
      attempt: run.attempt,
      run,
      plan: this.#withTls(run, plan),
      secrets: this.#secrets(run, plan),
      credentials: {
        source: this.#source(run, plan),
        sources: this.#sources(run, plan),
        registry: this.#registry(run, plan),
      },
      previous: run.kind === 'deployment' ? this.#previous(run.environmentId, run.stack) : null,
      logLimit: this.#logLimit,
    };
  }

  #withTls(run: Run, plan: Plan): Plan {
    if (run.kind === 'build' || plan.kind === 'build') return plan;
    const environment = environmentById(this.#db, run.environmentId);
    if (!environment) throw new Error(`run ${run.id} has lost its environment`);
    return { ...plan, engine: engineWithTls(this.#db, this.#vault, { ...environment, engine: plan.engine }) };
  }

  /** A build gets those its steps name. A deployment gets all its environment may have: the compose text names them. */
  #secrets(run: Run, plan: Plan): Record<string, string> {
    if (run.kind === 'task' || (plan.kind === 'build' && plan.foreign)) return {};
    const branch = run.kind === 'build' ? run.branch : (releaseById(this.#db, run.releaseId)?.branch ?? '');
    const environmentId = run.kind === 'build' ? null : run.environmentId;
    const all = secretsForRun(this.#db, this.#vault, { projectId: run.projectId, environmentId, branch });
    if (run.kind === 'deployment') return all;
    const named = new Set(plan.steps.flatMap((step) => ('secrets' in step ? step.secrets : [])));
    return Object.fromEntries(Object.entries(all).filter(([name]) => named.has(name)));
  }

  /** The plan is frozen, credentials are today's: where the source has moved to another host since, they are not for the old one. */
  #source(run: Run, plan: Plan): Claim['credentials']['source'] {
    if (run.kind !== 'build' || plan.kind !== 'build') return null;
    const pipeline = pipelineById(this.#db, run.pipelineId);
    return pipeline && hostOf(pipeline.source.url) === hostOf(plan.source.url)
      ? credentialsOf(this.#db, this.#vault, pipeline)
      : null;
  }

  /** Of the further sources: the secret that each names, or the pipeline's own on the same host. */
  #sources(run: Run, plan: Plan): Claim['credentials']['sources'] {
    if (run.kind !== 'build' || plan.kind !== 'build') return {};
    const pipeline = pipelineById(this.#db, run.pipelineId);
    if (!pipeline) return {};
    return Object.fromEntries(
      plan.sources.map(({ name, source, secret }) => [
        name,
        furtherCredentials(this.#db, this.#vault, pipeline, { url: source.url, secret, branch: run.branch }),
      ]),
    );
  }

  #registry(run: Run, plan: Plan): Claim['credentials']['registry'] {
    if (plan.kind === 'task' || plan.registry === null) return null;
    const own = run.kind === 'build' ? null : run.environmentId;
    const owner = own !== null && registryOf(this.#db, run.projectId, own) ? own : null;
    const today = registryOf(this.#db, run.projectId, owner);
    if (registryHost(today?.url) !== registryHost(plan.registry.url)) return null;
    return registryCredentials(this.#db, this.#vault, run.projectId, owner);
  }

  /** The release that runs, with the text, files and variables it was deployed with. */
  #previous(environmentId: number, stack: string): Target | null {
    const { current } = stackState(this.#db, environmentId, stack);
    return current && (planOf(this.#db, current.runId) as DeploymentPlan).target;
  }
}
