/** Which pipelines look at the same repository, so that one question answers them all; and what it answered last. */
import { AppError, RemoteError } from '../pipelines/errors.ts';
import type { Pulse, SourceAccess } from '../pipelines/ports.ts';
import type { Pipeline } from './store/pipelines.ts';

/** What must be the same for two sources to share a question. Its credentials are, too: they decide what is shown. */
const keyOf = ({ source, credentials }: SourceAccess): string => {
  const references = source.branches.filter((pattern) => pattern.replace(/^!/, '').startsWith('refs/'));
  return JSON.stringify([source.kind, source.url, references, credentials]);
};

/** Stands for the pulse of a further source that has none: looking closer tells why. */
const AWAY: Pulse = { root: '', mark: 'away', heads: null };

/** Whether the server as a whole is away, and need not be asked about another place on it. */
const isEverywhere = (error: unknown): boolean =>
  !(error instanceof AppError) || (error instanceof RemoteError && ['unreachable', 'timeout'].includes(error.fault));

export class Probes {
  readonly #accesses: (pipeline: Pipeline) => SourceAccess[];
  /** The root of each source, as its last pulse named it. */
  readonly #roots = new Map<string, string>();
  /** Pipelines by the root of their own source. */
  readonly #groups = new Map<string, number[]>();
  readonly #groupOf = new Map<number, string>();
  /** What each pipeline saw when it last looked closer. */
  readonly #marks = new Map<number, string>();

  constructor(accesses: (pipeline: Pipeline) => SourceAccess[]) {
    this.#accesses = accesses;
  }

  refresh(pipelines: readonly Pipeline[]): void {
    this.#groups.clear();
    this.#groupOf.clear();
    for (const pipeline of pipelines) {
      const [own] = this.#accesses(pipeline);
      if (!own) continue;
      const root = this.#rootOf(own);
      this.#groupOf.set(pipeline.id, root);
      this.#groups.set(root, [...(this.#groups.get(root) ?? []), pipeline.id]);
    }
    const ids = new Set(pipelines.map(({ id }) => id));
    for (const id of this.#marks.keys()) if (!ids.has(id)) this.#marks.delete(id);
  }

  #rootOf(access: SourceAccess): string {
    const key = keyOf(access);
    return this.#roots.get(key) ?? key;
  }

  /** The pipelines whose own source is in the same repository, this one among them. */
  sharing(id: number): number[] {
    const group = this.#groupOf.get(id);
    return (group === undefined ? undefined : this.#groups.get(group)) ?? [id];
  }

  /**
   * Asks each repository of these pipelines once. Answers what was told of each one's own source and, after it, of its further
   * ones; or why there is no answer.
   */
  async ask(
    pipelines: readonly Pipeline[],
    put: (access: SourceAccess) => Promise<Pulse>,
  ): Promise<Map<number, Pulse[] | Error>> {
    const asked = new Map<string, Promise<Pulse>>();
    const askOnce = (access: SourceAccess): Promise<Pulse> => {
      const root = this.#rootOf(access);
      const before = asked.get(root);
      // What is wrong may be so of the other's place in the repository alone.
      const answer = before?.catch((error: unknown) => (isEverywhere(error) ? before : put(access))) ?? put(access);
      asked.set(root, before ?? answer);
      return answer.then((pulse) => {
        this.#roots.set(keyOf(access), pulse.root);
        return pulse;
      });
    };
    const answers = pipelines.map(async (pipeline): Promise<[number, Pulse[] | Error]> => {
      try {
        const [own, ...further] = this.#accesses(pipeline).map(askOnce);
        // A further source that is away keeps nobody from seeing that the pipeline's own has moved.
        const others = Promise.all(further.map((each) => each.catch(() => AWAY)));
        return [pipeline.id, [...(own ? [await own] : []), ...(await others)]];
      } catch (error) {
        return [pipeline.id, error instanceof Error ? error : new Error(String(error))];
      }
    });
    return new Map(await Promise.all(answers));
  }

  /** Whether anything may have moved since the pipeline last looked closer. */
  hasMoved(pipeline: Pipeline, pulses: readonly Pulse[]): boolean {
    return this.#marks.get(pipeline.id) !== markOf(pipeline, pulses);
  }

  /** The pipeline has looked closer at what these pulses told of. */
  seen(pipeline: Pipeline, pulses: readonly Pulse[]): void {
    this.#marks.set(pipeline.id, markOf(pipeline, pulses));
  }
}

/** Other settings are another mark: with new branches, what did not move may be new. */
const markOf = ({ source }: Pipeline, pulses: readonly Pulse[]): string =>
  JSON.stringify([source, pulses.map(({ root, mark }) => [root, mark])]);
