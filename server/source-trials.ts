/** Trying things on a repository before anything depends on them: the connection, and the filters of a pipeline file. */
import { AppError, messageOf } from '../pipelines/errors.ts';
import { whyNotBuilt } from '../pipelines/watching.ts';
import { definitionOrThrow, readDefinition } from './definition.ts';
import type { Repository } from './repository.ts';
import type { FilterTrial, Parameter, SourceTest, TriedChange } from './services.ts';
import type { Pipeline } from './store/pipelines.ts';
import { SCM_TIMEOUT } from './trigger.ts';

/** Asks for the heads; what a user can mend is told, and not thrown. */
export async function testSource(heads: (signal: AbortSignal) => Promise<SourceTest['branches']>): Promise<SourceTest> {
  try {
    return { ok: true, error: null, branches: await heads(AbortSignal.timeout(SCM_TIMEOUT)) };
  } catch (error) {
    const late = error instanceof Error && error.name === 'TimeoutError';
    if (!late && !(error instanceof AppError)) throw error;
    return { ok: false, error: late ? 'the repository did not answer in time' : messageOf(error), branches: [] };
  }
}

/** The parameters of the file at a revision. Throws `invalid` where the file is wrong. */
export async function parametersAt(
  repository: Repository,
  pipeline: Pipeline,
  at: { branch?: string | undefined; revision?: string | undefined },
): Promise<Parameter[]> {
  const signal = AbortSignal.timeout(SCM_TIMEOUT);
  const { head } = await repository.find(pipeline, at, signal);
  const { parameters = {} } = definitionOrThrow(await repository.definition(pipeline, head, signal));
  return Object.entries(parameters).map(([name, { type, options = [], default: value, description }]) => ({
    name,
    type,
    options,
    default: value ?? null,
    description: description ?? null,
  }));
}

/** Each revision by itself, as if it alone had been pushed. Throws `invalid` (field `definition`) for a file that is wrong. */
export async function tryFilters(
  repository: Repository,
  pipeline: Pipeline,
  { branch, limit, definition: text }: FilterTrial,
): Promise<{ branch: string; items: TriedChange[] }> {
  const signal = AbortSignal.timeout(SCM_TIMEOUT);
  const { head, changes } = await repository.revisions(pipeline, branch, limit, signal);
  const definition =
    text === undefined
      ? await repository.definition(pipeline, head, signal)
      : readDefinition(text, 'the definition that was given');
  const { on } = definitionOrThrow(definition);
  const items = changes.map((change) => ({ change, reason: whyNotBuilt(on, head.branch, [change]) }));
  return { branch: head.branch, items };
}
