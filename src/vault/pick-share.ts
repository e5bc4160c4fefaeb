import { createHash } from "node:crypto";

/** A file that may be large: a memory's pages, or a captured file. */
export type BulkFile = { readonly number: number; readonly file: string; readonly bytes: number };

/** The others are small, and are always read. */
export function isBulk(file: string): boolean {
  return /^pages-\d+\.img$/.test(file) || file.startsWith("files/");
}

/**
 * Picks whole files at random until they make up at least `share` (0 to 1) of all bytes; `seed` decides which, and each seed spreads its
 * picks over all files alike. Empty files are always among them: they cost nothing.
 */
export function pickShare<F extends BulkFile>(files: readonly F[], share: number, seed: string): ReadonlySet<F> {
  const wanted = share * files.reduce((sum, { bytes }) => sum + bytes, 0);
  const places = new Map(files.map((one) => [one, placeOf(one, seed)]));
  const shuffled = files.toSorted((a, b) => ((places.get(a) ?? "") < (places.get(b) ?? "") ? -1 : 1));
  const picked = new Set(files.filter(({ bytes }) => bytes === 0));
  let sum = 0;
  for (const one of shuffled) {
    if (sum >= wanted) break;
    picked.add(one);
    sum += one.bytes;
  }
  return picked;
}

function placeOf({ number, file }: BulkFile, seed: string): string {
  return createHash("sha256").update(`${seed} ${number}/${file}`).digest("hex");
}
