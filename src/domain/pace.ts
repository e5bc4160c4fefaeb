/**
 * When a block that is asked for at `now` may be moved (`begin`), and from when on the next one may: the blocks queue, and each takes as long
 * as the rate gives it. `freeAt` is the answer of the block before. Time that nobody used is not saved up: what begins within any window is
 * at most the rate times the window, and one block. Times in whole microseconds from any start, `rate` in bytes a second, more than 0.
 */
export function queueBlock(
  freeAt: number,
  now: number,
  bytes: number,
  rate: number,
): { readonly begin: number; readonly freeAt: number } {
  const begin = Math.max(freeAt, now);
  return { begin, freeAt: begin + Math.ceil((bytes * 1_000_000) / rate) };
}
