import { Fault } from "../faults/fault.ts";

/**
 * A part of a whole, such as the bytes that `verify` reads back: `5%`, `0.5%`, `100%`, `0%`; at most three digits after the point. Gives 0 to 1.
 * Fault: `share-invalid`.
 */
export function parseShare(text: string): number {
  const parts = /^(\d{1,3}(?:\.\d{1,3})?)%$/.exec(text);
  const percent = Number(parts?.[1]);
  if (!parts || percent > 100) throw Fault.of("share-invalid", { text: JSON.stringify(text) });
  return percent / 100;
}

/** For people: two digits that count, `0.028%`, `1.4%`, `12%`; {@link parseShare} reads back what is not smaller than `0.001%`. */
export function formatPercent(share: number): string {
  const percent = Number((share * 100).toPrecision(2));
  return `${percent < 0.001 ? 0 : percent}%`;
}
