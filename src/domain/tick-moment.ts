/** The wall clock is read again at least this often, so that suspend, clock steps and daylight saving do no harm. */
export const longestSleep = 1_000;

/** How long the service may sleep, milliseconds: until the soonest moment that is still to come. What is due already waits for a place, not for the clock. */
export function sleepUntilDue(dues: readonly number[], now: number): number {
  const soonest = dues.reduce((least, due) => (due > now && due < least ? due : least), Infinity);
  return Math.min(longestSleep, Math.ceil(soonest - now));
}

/** Both clocks at one moment, milliseconds. */
export type Clocks = { readonly wall: number; readonly monotonic: number };

/** True if the wall clock was set, or the machine slept, between two looks; what drifts within one is none. */
export function hasStepped(before: Clocks, now: Clocks): boolean {
  return Math.abs(now.wall - before.wall - (now.monotonic - before.monotonic)) > 250;
}
