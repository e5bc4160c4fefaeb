/** What the machine has for everybody, jobs and service: processors that this process may use, and bytes of memory. */
export type Capacity = { readonly cores: number; readonly memory: number };

/** More at a time only stand in each other's way: they share one disk. */
const most = 8;
/** A take keeps a thread of some 90 MiB, and CRIU beside it: of a GiB an eighth. */
const memoryEach = 2 ** 30;

/**
 * How many generations are taken at one time. `auto`: as many as there are processors and GiB of memory, whichever is less; at most eight, and at
 * least one.
 */
export function takesAtOnce(setting: number | "auto", { cores, memory }: Capacity): number {
  if (setting !== "auto") return setting;
  return Math.max(1, Math.min(most, Math.floor(cores), Math.floor(memory / memoryEach)));
}
