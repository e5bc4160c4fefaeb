import { onlyRecord } from "./image-file.ts";
import { malformed } from "./malformed.ts";
import { ProtobufReader } from "./protobuf.ts";

/** One memory area of a process (CRIU: images/vma.proto), in pages of 4 KiB. `flags` are mmap's, `status` is CRIU's. */
export type Vma = {
  readonly page: number;
  readonly pages: number;
  readonly prot: number;
  readonly flags: number;
  readonly status: number;
};

export type PageRange = { readonly page: number; readonly pages: number };

/** `status` bits (CRIU: criu/include/image.h). */
const REGULAR = 1 << 0;
const VDSO = 1 << 3;
const HEAP = 1 << 5;
const FILE_PRIVATE = 1 << 6;
const ANON_PRIVATE = 1 << 9;
const VVAR = 1 << 12;
const AIO_RING = 1 << 13;
/** mmap's flags, linux/mman.h. */
const MAP_PRIVATE = 0x2;
const MAP_ANONYMOUS = 0x20;
const MAP_HUGETLB = 0x40000;

/** The VMAs of `mm-<pid>.img`, as they stand there (guard areas come last). Faults: `image-malformed`. */
export function readVmas(bytes: Uint8Array, file: string): readonly Vma[] {
  const reader = new ProtobufReader(onlyRecord(bytes, "mm", file), file);
  const vmas: Vma[] = [];
  while (reader.next()) {
    if (reader.field === 14) vmas.push(readVma(reader.bytes(), file));
    else reader.skip();
  }
  return vmas;
}

/** May a private pagemap list pages of it? (CRIU: vma.h:vma_entry_is_private) */
export function isPrivate({ status }: Vma): boolean {
  return ((status & REGULAR) !== 0 && (status & (ANON_PRIVATE | FILE_PRIVATE)) !== 0) || (status & AIO_RING) !== 0;
}

/** CRIU never leaves pages of these to a parent (mem.c:generate_vma_iovs): the kernel writes to them past the dirty tracking. */
export function neverInParent({ status, flags }: Vma): boolean {
  return (status & AIO_RING) !== 0 || (flags & MAP_HUGETLB) !== 0;
}

/** And with these MAP_LOCKED, MAP_NORESERVE and MAP_STACK. */
const PLAIN_FLAGS = MAP_PRIVATE | MAP_ANONYMOUS | 0x2000 | 0x4000 | 0x20000;

/**
 * Is a page of it that no pagemap lists full of zeros after a restore? So it is for plain anonymous memory: CRIU maps it anew, and what a process
 * inherits from its parent and does not list is given back to the kernel (mem.c:restore_priv_vma_content, "Remove pages, which were not shared
 * with a child"); CRIU itself lists no page that was never written to. Everything else is left as it is: behind a private file mapping lies
 * the file, and areas with a bit of their own (vDSO, AIO rings, shadow stacks, huge pages, stacks that grow) are restored in ways of their own.
 */
export function isBlankWhenAbsent({ status, flags }: Vma): boolean {
  const isPlain = (status & ~HEAP) === (REGULAR | ANON_PRIVATE) && (flags & ~PLAIN_FLAGS) === 0;
  return isPlain && (flags & MAP_PRIVATE) !== 0 && (flags & MAP_ANONYMOUS) !== 0;
}

/** mmap's protection, linux/mman.h. */
const PROT_READ = 1;

/** Does a restore bring its private pages back byte for byte, and may they be read? The kernel's own (vDSO, AIO rings) are made anew. */
export function isKept(vma: Vma): boolean {
  return isPrivate(vma) && (vma.status & (VDSO | VVAR | AIO_RING)) === 0 && (vma.prot & PROT_READ) !== 0;
}

/** Ranges in order of address, touching ones joined. */
export function inOrder(ranges: readonly PageRange[]): readonly PageRange[] {
  const joined: { page: number; pages: number }[] = [];
  for (const { page, pages } of ranges.toSorted((a, b) => a.page - b.page)) {
    const last = joined.at(-1);
    if (last === undefined || last.page + last.pages < page) joined.push({ page, pages });
    else last.pages = Math.max(last.pages, page + pages - last.page);
  }
  return joined;
}

function readVma(record: Uint8Array, file: string): Vma {
  const reader = new ProtobufReader(record, file);
  let [start, end, prot, flags, status]: (number | undefined)[] = [];
  while (reader.next()) {
    if (reader.field === 1) start = reader.page();
    else if (reader.field === 2) end = reader.page();
    else if (reader.field === 5) prot = reader.u32();
    else if (reader.field === 6) flags = reader.u32();
    else if (reader.field === 7) status = reader.u32();
    else reader.skip();
  }
  if (
    start === undefined ||
    end === undefined ||
    prot === undefined ||
    flags === undefined ||
    status === undefined ||
    end <= start
  ) {
    throw malformed(file, "a memory area of it is incomplete or empty");
  }
  return { page: start, pages: end - start, prot, flags, status };
}
