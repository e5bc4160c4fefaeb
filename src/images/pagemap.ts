import { heads, records } from "./image-file.ts";
import { malformed } from "./malformed.ts";
import { ProtobufReader } from "./protobuf.ts";
import { RecordWriter } from "./protobuf-writer.ts";

/** Bytes of a page, as CRIU counts them. */
export const PAGE = 4096;

/** Flags of an entry (CRIU: criu/include/pagemap.h). LAZY is a hint for lazy restores, of no meaning here, and carried along. */
export const IN_PARENT = 1;
export const LAZY = 2;
export const PRESENT = 4;

/** `page` is the address divided by 4096: exact for any u64. In a shared object's pagemap it counts from the object's begin. */
export type PageEntry = { readonly page: number; readonly pages: number; readonly flags: number };

/**
 * A `pagemap-*.img`: entries in order of address, never overlapping, never empty. The bytes of PRESENT entries lie densely and
 * in this order in `pages-<pagesId>.img`; other entries take no room there. Columns and not objects, because a scattered
 * memory has millions of entries and those of a whole chain are held at once.
 */
export type Pagemap = {
  readonly pagesId: number;
  readonly length: number;
  readonly page: Float64Array;
  readonly pages: Float64Array;
  readonly flags: Uint8Array;
};

/**
 * Reads a `pagemap-*.img` with the fix-ups of CRIU's own reader (pagemap.c:init_compat_pagemap_entry): the old `in_parent`
 * (3) means IN_PARENT, no `flags` (4) means PRESENT, no `nr_pages` (5, new in CRIU 4.2) means the number is in field 2. Fields
 * and flags this program does not know are refused: newer CRIUs can compress pages, and then offsets are not what they seem.
 * Faults: `image-malformed`.
 */
export function readPagemap(bytes: Uint8Array, file: string): Pagemap {
  let head: number | undefined;
  const builder = new PagemapBuilder(file);
  for (const record of records(bytes, "pagemap", file)) {
    if (head === undefined) head = readHead(record, file);
    else builder.add(readEntry(record, file));
  }
  if (head === undefined) throw malformed(file, "it has no head");
  return builder.build(head);
}

/**
 * The bytes of a `pagemap-*.img` that every CRIU can read: both the old and the new number of pages, `flags`, never the old
 * `in_parent` (a number of 2^32 or more has no place in the old field, which must be there all the same, and is then 0).
 */
export function writePagemap(pagemap: Pagemap): Uint8Array {
  const writer = new RecordWriter();
  for (const word of heads.pagemap) writer.u32(word);
  writer.begin();
  writer.uint(1, pagemap.pagesId);
  writer.end();
  for (const { page, pages, flags } of entriesOf(pagemap)) {
    writer.begin();
    writer.page(1, page);
    writer.uint(2, pages < 0x1_0000_0000 ? pages : 0);
    writer.uint(4, flags);
    writer.uint(5, pages);
    writer.end();
  }
  return writer.bytes();
}

export function* entriesOf(pagemap: Pagemap): Generator<PageEntry, void> {
  for (let i = 0; i < pagemap.length; i++) {
    yield { page: pagemap.page[i] ?? 0, pages: pagemap.pages[i] ?? 0, flags: pagemap.flags[i] ?? 0 };
  }
}

/** A pagemap from its entries, which must come in order. */
export function pagemapOf(pagesId: number, entries: Iterable<PageEntry>): Pagemap {
  const builder = new PagemapBuilder(`the pagemap of pages-${pagesId}.img`);
  for (const entry of entries) builder.add(entry);
  return builder.build(pagesId);
}

/** How many pages have their bytes in the pages file of this pagemap itself. */
export function storedPages(pagemap: Pagemap): number {
  let sum = 0;
  for (const { pages, flags } of entriesOf(pagemap)) if ((flags & PRESENT) !== 0) sum += pages;
  return sum;
}

/** Does any page of it lie in a parent? Then the generation needs its `parent` link. */
export function leansOnParent(pagemap: Pagemap): boolean {
  return pagemap.flags.some((flags) => (flags & IN_PARENT) !== 0);
}

/** Collects entries that come in order. Faults: `image-malformed` for one that does not, is empty, or is two things at once. */
export class PagemapBuilder {
  #length = 0;
  #end = 0;
  #page = new Float64Array(64);
  #pages = new Float64Array(64);
  #flags = new Uint8Array(64);
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  add({ page, pages, flags }: PageEntry): void {
    if (!(pages >= 1)) throw malformed(this.#file, `the entry at ${address(page)} is empty`);
    if (page < this.#end) throw malformed(this.#file, `the entry at ${address(page)} is out of order`);
    if (page + pages > 2 ** 52) throw malformed(this.#file, `the entry at ${address(page)} goes beyond all memory`);
    if ((flags & ~(IN_PARENT | LAZY | PRESENT)) !== 0)
      throw malformed(this.#file, `the entry at ${address(page)} has unknown flags`);
    if ((flags & IN_PARENT) !== 0 && (flags & PRESENT) !== 0) {
      throw malformed(this.#file, `the entry at ${address(page)} is both here and in the parent`);
    }
    if (this.#length === this.#page.length) this.#grow();
    this.#page[this.#length] = page;
    this.#pages[this.#length] = pages;
    this.#flags[this.#length] = flags;
    this.#length++;
    this.#end = page + pages;
  }

  build(pagesId: number): Pagemap {
    return { pagesId, length: this.#length, page: this.#page, pages: this.#pages, flags: this.#flags };
  }

  #grow(): void {
    const [page, pages, flags] = [this.#page, this.#pages, this.#flags];
    this.#page = new Float64Array(page.length * 2);
    this.#pages = new Float64Array(page.length * 2);
    this.#flags = new Uint8Array(page.length * 2);
    this.#page.set(page);
    this.#pages.set(pages);
    this.#flags.set(flags);
  }
}

/** A page's address as CRIU's log and `crit` show it. */
export function address(page: number): string {
  return `0x${(BigInt(page) * 4096n).toString(16)}`;
}

function readHead(record: Uint8Array, file: string): number {
  const reader = new ProtobufReader(record, file);
  let pagesId: number | undefined;
  while (reader.next()) {
    if (reader.field !== 1) throw malformed(file, `its head has the unknown field ${reader.field}`);
    pagesId = reader.u32();
  }
  if (pagesId === undefined) throw malformed(file, "its head names no pages file");
  return pagesId;
}

function readEntry(record: Uint8Array, file: string): PageEntry {
  const reader = new ProtobufReader(record, file);
  let page: number | undefined;
  let compat: number | undefined;
  let inParent = false;
  let flags: number | undefined;
  let pages: number | undefined;
  while (reader.next()) {
    if (reader.field === 1) page = reader.page();
    else if (reader.field === 2) compat = reader.u32();
    else if (reader.field === 3) inParent = reader.uint() !== 0;
    else if (reader.field === 4) flags = reader.u32();
    else if (reader.field === 5) pages = reader.uint();
    else throw malformed(file, `an entry has the unknown field ${reader.field}`);
  }
  if (page === undefined || compat === undefined) throw malformed(file, "an entry has no address or no number of pages");
  return { page, pages: pages ?? compat, flags: inParent ? (flags ?? 0) | IN_PARENT : (flags ?? PRESENT) };
}
