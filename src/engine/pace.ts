import { queueBlock } from "../domain/pace.ts";
import { Fault } from "../faults/fault.ts";
import type { HeldLease } from "./lease.ts";
import type { Clock, Pace } from "./ports.ts";

/** How much all the work that the service does unasked may move, in all its threads together. A verb that has one was not typed by a person. */
export type Budget = {
  /** Reads and writes added up; 0: as fast as it can. */
  readonly bytesPerSecond: number;
  /** Two numbers for all threads: when the next block may be moved, in microseconds of the monotonic clock, and whether the service stops. */
  readonly shared: SharedArrayBuffer;
};

const [freeAt, stopping] = [0, 1];
const askMilliseconds = 1000;

export function budgetOf(bytesPerSecond: number): Budget {
  return { bytesPerSecond, shared: new SharedArrayBuffer(2 * BigInt64Array.BYTES_PER_ELEMENT) };
}

/** All work within the budget ends before its next block, with `service-stopping`: what it did since its last whole step is undone. */
export function endWork({ shared }: Budget): void {
  Atomics.store(new BigInt64Array(shared), stopping, 1n);
}

/**
 * The pace of work under a lease: within the budget, until somebody waits for the lease; from then on at full speed, for the sooner it is
 * done the better. That is asked about once a second. Without a budget: `undefined`, full speed.
 */
export function paceUnder(
  { clock }: { readonly clock: Clock },
  budget: Budget | null,
  held: Pick<HeldLease, "isWanted">,
): Pace | undefined {
  if (budget === null) return undefined;
  let [inHaste, askedAt] = [budget.bytesPerSecond === 0, -Infinity];
  return async (bytes) => {
    refuseIfStopping(budget);
    if (inHaste || bytes === 0) return;
    const begin = queue(budget, clock.monotonic(), bytes);
    for (;;) {
      const now = clock.monotonic();
      if (now - askedAt >= askMilliseconds) {
        askedAt = now;
        inHaste = await held.isWanted();
      }
      if (inHaste || now >= begin) return;
      await clock.sleep(Math.min(begin - now, askedAt + askMilliseconds - now));
      refuseIfStopping(budget);
    }
  };
}

/** Queues a block behind those of all threads; gives the time when it may be moved, in milliseconds. */
function queue({ bytesPerSecond, shared }: Budget, now: number, bytes: number): number {
  const numbers = new BigInt64Array(shared);
  for (;;) {
    const seen = Atomics.load(numbers, freeAt);
    const queued = queueBlock(Number(seen), Math.ceil(now * 1000), bytes, bytesPerSecond);
    if (Atomics.compareExchange(numbers, freeAt, seen, BigInt(queued.freeAt)) === seen) return queued.begin / 1000;
  }
}

function refuseIfStopping({ shared }: Budget): void {
  if (Atomics.load(new BigInt64Array(shared), stopping) !== 0n) throw Fault.of("service-stopping", {});
}
