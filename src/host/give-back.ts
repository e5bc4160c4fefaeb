import { koffi } from "./koffi.ts";

let loaded: ((keep: number) => number) | null | undefined;

/**
 * Hands memory that threads have used and freed back to the kernel: the C library keeps it for the next one, and a service that waits for hours would
 * stand there with all that its busiest minute took. Takes a few milliseconds. Where the C library has no such call, nothing happens.
 */
export function giveBackMemory(): void {
  loaded ??= load();
  loaded?.(0);
}

function load(): typeof loaded {
  try {
    return koffi().load(null).func("int malloc_trim(size_t)") as (keep: number) => number;
  } catch {
    return null;
  }
}
