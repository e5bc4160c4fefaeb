import type { Clock } from "../../src/engine/ports.ts";

type Sleeper = { readonly at: number; readonly order: number; readonly wake: () => void };

/** A clock for several that work at once: time passes when all of them sleep, and whoever is to wake first does. */
export class PassingTime {
  readonly clock: Clock;
  #now = 0;
  #order = 0;
  #sleepers: Sleeper[] = [];

  constructor() {
    this.clock = {
      now: () => 1_790_000_000_000 + Math.floor(this.#now),
      monotonic: () => this.#now,
      sleep: (milliseconds) => new Promise((wake) => this.#add(milliseconds, wake)),
      repeat: (milliseconds, act) => {
        let isStopped = false;
        const again = (): void => {
          if (isStopped) return;
          act();
          this.#add(milliseconds, again);
        };
        this.#add(milliseconds, again);
        return () => (isStopped = true);
      },
    };
  }

  /** Lets time pass until this is done. */
  async until<T>(done: Promise<T>): Promise<T> {
    let isOver = false;
    const over = (): void => void (isOver = true);
    done.then(over, over);
    for (;;) {
      await new Promise((resume) => setImmediate(resume));
      if (isOver) return done;
      const next = this.#sleepers.toSorted((a, b) => a.at - b.at || a.order - b.order)[0];
      if (next === undefined) throw new Error("nobody sleeps, and yet it is not done");
      this.#sleepers = this.#sleepers.filter((one) => one !== next);
      this.#now = Math.max(this.#now, next.at);
      next.wake();
    }
  }

  #add(milliseconds: number, wake: () => void): void {
    this.#sleepers.push({ at: this.#now + milliseconds, order: this.#order++, wake });
  }
}
