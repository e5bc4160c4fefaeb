import { createHash } from "node:crypto";

/** When a service is killed: so long after it is up, or after it is first seen at that. */
export type Moment = { readonly during: keyof typeof spans; readonly milliseconds: number };

/** Up to so many milliseconds; `anything`: idle time is among it. */
const spans = { anything: 5000, take: 800, dump: 100, thin: 100, seal: 30, expire: 500, fold: 30 };

/** The moments of a seed; a failure is met again with the seed that was printed. */
export function momentOf(seed: string, round: number): Moment {
  const bits = createHash("sha256").update(`${seed} ${round}`).digest();
  const kinds = Object.keys(spans) as readonly Moment["during"][];
  const during = kinds[(bits[0] ?? 0) % kinds.length] ?? "anything";
  return { during, milliseconds: Math.round((bits.readUInt32BE(4) / 2 ** 32) * spans[during]) };
}
