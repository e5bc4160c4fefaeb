/**
 * At most `most` of the numbers from 0 up to `total`, ascending: one from each of as many equal parts, so that no large stretch is without
 * one. Which one is chosen by `seed`; the same seed chooses the same. Pure.
 */
export function sample(total: number, most: number, seed: string): readonly number[] {
  const count = Math.min(total, most);
  let state = hash(seed);
  return Array.from({ length: count }, (_, part) => {
    const from = Math.floor((part * total) / count);
    const upTo = Math.floor(((part + 1) * total) / count);
    state = step(state);
    return from + (state % (upTo - from));
  });
}

/** FNV-1a (draft-eastlake-fnv): never 0, where the steps would stand still. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (const letter of new TextEncoder().encode(text)) value = Math.imul(value ^ letter, 0x01000193) >>> 0;
  return value === 0 ? 1 : value;
}

/** Marsaglia's xorshift, 32 bits (Journal of Statistical Software 8, 14). */
function step(state: number): number {
  let next = state ^ (state << 13);
  next ^= next >>> 17;
  return (next ^ (next << 5)) >>> 0;
}
