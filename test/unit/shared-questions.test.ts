import { describe, expect, test } from 'vitest';
import { SharedQuestions } from '../../runner/tools/shared-questions.ts';

const never = new AbortController().signal;

/** A server that answers with how often it was asked, when it is told to. */
function oracle() {
  const asked: { signal: AbortSignal; answer(): void; fail(error: Error): void }[] = [];
  const put = (signal: AbortSignal) =>
    new Promise<number>((resolve, reject) => {
      const number = asked.length + 1;
      asked.push({ signal, answer: () => resolve(number), fail: reject });
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
  return { asked, put };
}
const settle = () => new Promise(setImmediate);

describe('shared questions', () => {
  test('who asks while one is under way shares the next one, never that one', async () => {
    const { asked, put } = oracle();
    const questions = new SharedQuestions<number>();
    const first = questions.ask('a', put, never);
    const later = [questions.ask('a', put, never), questions.ask('a', put, never)];
    await settle();
    expect(asked).toHaveLength(1);
    asked[0]?.answer();
    expect(await first).toBe(1);
    await settle();
    asked[1]?.answer();
    expect(await Promise.all(later)).toEqual([2, 2]);
    const afterwards = questions.ask('a', put, never);
    await settle();
    asked[2]?.answer();
    expect(await afterwards).toBe(3);
  });

  test('other keys do not wait', async () => {
    const { asked, put } = oracle();
    const questions = new SharedQuestions<number>();
    const both = [questions.ask('a', put, never), questions.ask('b', put, never)];
    await settle();
    for (const { answer } of asked) answer();
    expect(await Promise.all(both)).toEqual([1, 2]);
  });

  test('a failure is everybody’s who shares it, and nobody else’s', async () => {
    const { asked, put } = oracle();
    const questions = new SharedQuestions<number>();
    const first = questions.ask('a', put, never);
    const second = questions.ask('a', put, never);
    await settle();
    asked[0]?.fail(new Error('away'));
    await expect(first).rejects.toThrow('away');
    await settle();
    asked[1]?.answer();
    expect(await second).toBe(2);
  });

  test('one who goes does not take it from the others; the last to go ends it', async () => {
    const { asked, put } = oracle();
    const questions = new SharedQuestions<number>();
    const blocker = questions.ask('a', put, never);
    const [one, two] = [new AbortController(), new AbortController()];
    const shared = [questions.ask('a', put, one.signal), questions.ask('a', put, two.signal)];
    one.abort(new Error('one goes'));
    await expect(shared[0]).rejects.toThrow('one goes');
    await settle();
    asked[0]?.answer();
    await blocker;
    await settle();
    expect(asked[1]?.signal.aborted).toBe(false);
    two.abort(new Error('two goes'));
    await expect(shared[1]).rejects.toThrow('two goes');
    expect(asked[1]?.signal.aborted).toBe(true);
  });

  test('one that nobody waits for any longer is not asked, and not shared', async () => {
    const { asked, put } = oracle();
    const questions = new SharedQuestions<number>();
    const blocker = questions.ask('a', put, never);
    const gone = new AbortController();
    const left = questions.ask('a', put, gone.signal);
    gone.abort(new Error('gone'));
    await expect(left).rejects.toThrow('gone');
    const other = questions.ask('a', put, never);
    await settle();
    asked[0]?.answer();
    await blocker;
    await settle();
    asked[1]?.answer();
    expect(await other).toBe(2);
    expect(asked).toHaveLength(2);
  });
});
