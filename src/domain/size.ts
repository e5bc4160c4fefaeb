import { Fault } from "../faults/fault.ts";

const binary = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] as const;
const bytesIn: ReadonlyMap<string, number> = new Map([
  ["", 1],
  ...binary.map((unit, power) => [unit, 1024 ** power] as const),
  ...["kB", "MB", "GB", "TB", "PB"].map((unit, power) => [unit, 1000 ** (power + 1)] as const),
]);

/**
 * `512MiB`, `20 GiB`, `1TB`, `1.5GiB`, plain bytes; units of 1024 have an `i`, units of 1000 have none. `20G` and `20gb` are
 * refused: they mean one thing to some and another to others. Gives whole bytes. Fault: `size-invalid`.
 */
export function parseSize(text: string): number {
  const parts = /^(\d+(?:\.\d+)?) ?([A-Za-z]*)$/.exec(text);
  const unit = bytesIn.get(parts?.[2] ?? "");
  const bytes = Math.round(Number(parts?.[1]) * (unit ?? Number.NaN));
  const isFractionOfByte = unit === 1 && text.includes(".");
  if (!Number.isSafeInteger(bytes) || isFractionOfByte) throw Fault.of("size-invalid", { text: JSON.stringify(text) });
  return bytes;
}

/** For people: `0 B`, `512 MiB`, `12.3 GiB`, one decimal where the unit does not fit; {@link parseSize} reads it back. */
export function formatSize(bytes: number): string {
  let power = 0;
  // 1023.95 and more would be shown as 1024.0 of the smaller unit.
  while (power < binary.length - 1 && bytes / 1024 ** power >= 1023.95) power += 1;
  const value = bytes / 1024 ** power;
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${binary[power]}`;
}
