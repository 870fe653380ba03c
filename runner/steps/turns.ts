/** One log for several pieces of work that run side by side. */
import type { StepLog } from './step.ts';

export type LogLines = Pick<StepLog, 'write' | 'notice'>;

export interface Turn<T> extends LogLines {
  item: T;
  end(): void;
}

/**
 * A log that the work on several items shares as if it were done one after the other: what a later one writes waits
 * until those before it have called `end`, which each must. A notice that one of them has given already is left out.
 */
export function inTurn<T>(log: LogLines, items: readonly T[]): Turn<T>[] {
  const given = new Set<string>();
  const notice = (text: string) => {
    if (!given.has(text)) log.notice(text);
    given.add(text);
  };
  const turns = items.map((item) => ({ item, waiting: [] as (() => void)[], ended: false }));
  let current = 0;
  const flush = () => {
    for (;;) {
      const turn = turns[current];
      for (const line of turn?.waiting.splice(0) ?? []) line();
      if (!turn?.ended) return;
      current++;
    }
  };
  return turns.map((turn) => {
    const add = (line: () => void) => {
      turn.waiting.push(line);
      flush();
    };
    return {
      item: turn.item,
      notice: (text) => add(() => notice(text)),
      write: (bytes) => add(() => log.write(bytes)),
      end() {
        turn.ended = true;
        flush();
      },
    };
  });
}
