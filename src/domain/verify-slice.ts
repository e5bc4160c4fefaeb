import { Fault } from "../faults/fault.ts";

/** The part of all points that is verified each night: `share` of `of`, so that a whole round takes `of / share` nights. */
export type VerifySlice = { readonly share: number; readonly of: number };

/** `1/7`, `2/30`, `1/1`; `0/1` verifies nothing. Fault: `slice-invalid`. */
export function parseSlice(text: string): VerifySlice {
  const parts = /^(\d{1,4})\/([1-9]\d{0,3})$/.exec(text);
  const [share, of] = [Number(parts?.[1]), Number(parts?.[2])];
  if (!parts || share > of) throw Fault.of("slice-invalid", { text: JSON.stringify(text) });
  return { share, of };
}

/**
 * Is this point's turn on this day? Each point has a fixed place in the round, by a hash of its id, and each day takes the next `share` places:
 * within `of` days each comes `share` times, whatever points come and go meanwhile. `day`: whole days since the epoch.
 */
export function isInSlice(id: string, day: number, { share, of }: VerifySlice): boolean {
  const place = hash(id) % of;
  const first = ((day % of) * share) % of;
  return (place - first + of) % of < share;
}

/** FNV-1a, 32 bits: spreads ids evenly, and stays the same for ever. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193) >>> 0;
  return value;
}
