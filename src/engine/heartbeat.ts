import type { Ports } from "./ports.ts";

/**
 * Writes down that the service looks after the jobs now, and gives the time of the last look before, milliseconds since the epoch (`null`: there
 * was none). After a power cut this is the last moment of which it is known that the jobs were alive.
 *
 * It is a lease that runs out at once and that nobody gives back: the next look takes it over, and so learns when it was taken.
 */
export async function beat({ catalogue, clock, ids, processes }: Ports): Promise<number | null> {
  const now = clock.now();
  const lease = { name: "heartbeat", token: ids.random(), owner: processes.self(), verb: "tend", expiresAt: now };
  const answer = await catalogue.acquireLease(lease, now, () => false);
  const before = answer.granted ? answer.tookOver : answer.holder;
  return before && Math.min(now, before.expiresAt);
}
