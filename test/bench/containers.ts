/** Steps in containers: one, and ten one after the other. */
import { inTurns, timed } from './measure.ts';
import type { Bench, Row } from './row.ts';
import { shell } from './shell.ts';

const RUN = 'docker run --rm busybox:1.36 true';

export const oneStep = steps('one-step', 1, 1.1);
export const tenSteps = steps('ten-steps', 10, 1.05);

function steps(name: string, count: number, atMost: number): Bench {
  return {
    name,
    async measure({ installation, runs }): Promise<Row[]> {
      const { build, definePipeline } = await installation();
      await definePipeline(name, pipelineFile(count));
      const script = Array.from({ length: count }, () => RUN).join('\n');
      const { bare, ours, ratio } = await inTurns(
        runs,
        () => timed(() => shell(script)),
        () => timed(() => build(name)),
      );
      const what = count === 1 ? `one step: ${RUN}` : `${count} such steps, each in a fresh container`;
      return [
        {
          name,
          work: `${what}; trigger → finished`,
          bare,
          ours,
          unit: 'ms',
          figure: { kind: 'ratio', value: ratio, atMost },
          notes: count === 1 ? ['from POST …/builds (revision already mirrored) to the event that says finished'] : [],
        },
      ];
    },
  };
}

/** Each step needs the one above. */
const pipelineFile = (count: number): string =>
  `steps:\n${Array.from({ length: count }, (_, index) => `  s${index + 1}: { image: "busybox:1.36", run: ["true"] }\n`).join('')}`;
