/** The output of steps that run side by side, line by line as it comes, each marked with its step. */
import type { RunnerEvent } from '../../pipelines/events.ts';
import type { BuildRun } from '../../pipelines/model.ts';
import { paint, state } from './output.ts';

const NEWLINE = 0x0a;

export class StepPrinter {
  readonly #to: NodeJS.WritableStream;
  readonly #width: number;
  /** A line's beginning, until its end has come. */
  readonly #begun = new Map<string, Buffer>();

  /** With a single step there is nothing to tell apart, and its bytes go through as they are. */
  constructor(steps: readonly string[], to: NodeJS.WritableStream) {
    this.#to = to;
    this.#width = steps.length > 1 ? Math.max(...steps.map((name) => name.length)) : 0;
  }

  say(line: string): void {
    this.#to.write(`${line}\n`);
  }

  write(step: string, bytes: Uint8Array): void {
    if (this.#width === 0) {
      this.#to.write(bytes);
      return;
    }
    const text = Buffer.concat([this.#begun.get(step) ?? Buffer.alloc(0), bytes]);
    const end = text.lastIndexOf(NEWLINE) + 1;
    this.#begun.set(step, text.subarray(end));
    if (end > 0) this.#lines(step, text.subarray(0, end));
  }

  event(event: RunnerEvent, run: BuildRun): void {
    if (event.type !== 'step.started' && event.type !== 'step.finished') return;
    const step = run.steps.find(({ name }) => name === event.step);
    if (!step) return;
    if (event.type === 'step.finished') this.#flush(step.name);
    const seconds = ((step.finishedAt ?? 0) - (step.startedAt ?? 0)) / 1000;
    const took = event.type === 'step.finished' ? paint('dim', ` ${seconds.toFixed(1)} s`) : '';
    this.say(`${state(step)} ${step.name}${took}`);
  }

  #flush(step: string): void {
    const left = this.#begun.get(step);
    this.#begun.delete(step);
    if (left?.length) this.#lines(step, Buffer.concat([left, Buffer.from('\n')]));
  }

  #lines(step: string, lines: Buffer): void {
    const mark = paint('dim', `${step.padEnd(this.#width)} │ `);
    // latin1 keeps every byte as it is.
    const marked = lines.toString('latin1').replace(/^(?=[\s\S])/gm, Buffer.from(mark).toString('latin1'));
    this.#to.write(Buffer.from(marked, 'latin1'));
  }
}
