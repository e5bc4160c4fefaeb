import { Fault } from "../faults/fault.ts";

/**
 * How much of the bytes `verify` reads back: `5%`, `0.5%`, `100%`, `0%`; at most three digits after the point. Gives 0 to 1.
 * Fault: `share-invalid`.
 */
export function parseShare(text: string): number {
  const parts = /^(\d{1,3}(?:\.\d{1,3})?)%$/.exec(text);
  const percent = Number(parts?.[1]);
  if (!parts || percent > 100) throw Fault.of("share-invalid", { text: JSON.stringify(text) });
  return percent / 100;
}
