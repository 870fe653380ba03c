/**
 * Whoever asks what somebody else is about to ask shares the answer. A question that is under way already is not joined: its
 * answer may be older than the asker's reason to ask. So however many ask at once, two questions answer them all.
 */
export class SharedQuestions<T> {
  /** Under way by key, with the one that comes after it. */
  readonly #open = new Map<string, { next: Question<T> | null }>();

  /**
   * `put` must mean the same for the same `key`. Its signal aborts when none of those who share the question waits any longer;
   * the last of them to go waits until it has ended.
   */
  ask(key: string, put: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    const open = this.#open.get(key);
    if (!open) return this.#start(key, new Question(put)).join(signal);
    if (open.next === null || open.next.abandoned) open.next = new Question(put);
    return open.next.join(signal);
  }

  #start(key: string, question: Question<T>): Question<T> {
    const open = { next: null as Question<T> | null };
    this.#open.set(key, open);
    question.start(() => {
      if (open.next === null || open.next.abandoned) this.#open.delete(key);
      else this.#start(key, open.next);
    });
    return question;
  }
}

class Question<T> {
  readonly #nobodyWaits = new AbortController();
  readonly #answer: Promise<T>;
  #begin: () => void = () => {};
  #begun = false;
  #waiting = 0;

  constructor(put: (signal: AbortSignal) => Promise<T>) {
    const begun = new Promise<void>((resolve) => {
      this.#begin = resolve;
    });
    this.#answer = begun.then(() => put(this.#nobodyWaits.signal));
  }

  get abandoned(): boolean {
    return this.#nobodyWaits.signal.aborted;
  }

  start(ended: () => void): void {
    this.#begun = true;
    this.#begin();
    void this.#answer.then(ended, ended);
  }

  join(signal: AbortSignal): Promise<T> {
    this.#waiting += 1;
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiting -= 1;
        if (this.#waiting === 0) this.#nobodyWaits.abort(signal.reason);
        if (this.#waiting > 0 || !this.#begun) reject(signal.reason);
      };
      signal.addEventListener('abort', leave, { once: true });
      this.#answer.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave));
    });
  }
}
