import { onlyRecord } from "./image-file.ts";
import { malformed } from "./malformed.ts";
import { ProtobufReader } from "./protobuf.ts";

/**
 * `stats-dump` (CRIU: images/stats.proto, stats.c). Times are microseconds in 32 bits (they wrap at 71.6 minutes); pages are of
 * 4 KiB, private and shared (`shpages…`) counted apart. `frozenTime` goes up to the thaw, the post-dump hook included.
 */
export type StatsDump = { readonly [Name in (typeof names)[number]]: number };

/** By field number, from 1. */
const names = [
  "freezingTime",
  "frozenTime",
  "memdumpTime",
  "memwriteTime",
  "pagesScanned",
  "pagesSkippedParent",
  "pagesWritten",
  "irmapResolve",
  "pagesLazy",
  "pagePipes",
  "pagePipeBufs",
  "shpagesScanned",
  "shpagesSkippedParent",
  "shpagesWritten",
] as const;

/** Of the dump message's fields, these are always there. */
const REQUIRED = 7;

/** What older CRIUs do not count is 0. Faults: `image-malformed`. */
export function readStatsDump(bytes: Uint8Array, file: string): StatsDump {
  const outer = new ProtobufReader(onlyRecord(bytes, "stats", file), file);
  let dump: Uint8Array | undefined;
  while (outer.next()) {
    if (outer.field === 1) dump = outer.bytes();
    else outer.skip();
  }
  if (dump === undefined) throw malformed(file, "it tells of no dump");
  const found = new Map<number, number>();
  const reader = new ProtobufReader(dump, file);
  while (reader.next()) {
    if (reader.field <= names.length) found.set(reader.field, reader.uint());
    else reader.skip();
  }
  for (let field = 1; field <= REQUIRED; field++) {
    if (!found.has(field)) throw malformed(file, `${names[field - 1]} is missing`);
  }
  return Object.fromEntries(names.map((name, i) => [name, found.get(i + 1) ?? 0])) as StatsDump;
}
