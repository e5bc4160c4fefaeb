import { createHash, type Hash } from "node:crypto";
import { type FileHandle, open, readdir, readlink } from "node:fs/promises";
import path from "node:path";
import type { Damage, Pace } from "../engine/ports.ts";
import { isPagemapName, mmNameOf, PARENT_LINK } from "../images/image-names.ts";
import { compressInto } from "./zstd.ts";
import type { Holes } from "./holes.ts";
import { readAhead } from "./pages-ahead.ts";
import type { SealedFolder } from "./sealed-folder.ts";
import { damageOf } from "./pages-damage.ts";
import type { Digest } from "./pages-write.ts";
import { isBulk } from "./pick-share.ts";
import { ARCHIVE_END, BLOCK, dataBytes, type Extent, headerOf, paddingAfter } from "./tar-header.ts";

/** Bytes read at once. */
const READ = 2 << 20;

export type WritePack = {
  readonly member: SealedFolder;
  /** For every name in it, milliseconds since the epoch: a pack of the same files is the same pack. */
  readonly madeAt: number;
  /** The new file. */
  readonly into: string;
  readonly holes: Holes;
};

/**
 * Writes all files of a generation, its folders and its `parent` link into one archive, compressed; small images first, so that they can be
 * read without the rest. Each file is read once, and held against its digest: damage must not be packed away. What that finds is told, and
 * then the new file is of no use. Files with holes keep them. Holds some 15 MiB. Syncs nothing.
 */
export async function writePack(
  { member, madeAt, into, holes }: WritePack,
  onProgress: (bytes: number) => void,
  pace?: Pace,
): Promise<{ readonly packed: Digest; readonly damage: readonly Damage[] }> {
  const damage: Damage[] = [];
  const mtime = Math.floor(madeAt / 1000);
  async function* pieces(): AsyncGenerator<Buffer, void> {
    for (const entry of await readdir(member.folder, { withFileTypes: true, recursive: true })) {
      const name = path.relative(member.folder, path.join(entry.parentPath, entry.name));
      if (entry.isDirectory()) yield headerOf({ type: "folder", name }, mtime);
      else if (name === PARENT_LINK && entry.isSymbolicLink())
        yield headerOf({ type: "link", name, target: await readlink(path.join(member.folder, name)) }, mtime);
    }
    for (const name of smallFirst(Object.keys(member.digests))) {
      const hash = createHash("sha256");
      const bytes = yield* fileIn(member.folder, name, hash);
      const sealed = member.digests[name];
      if (bytes !== sealed?.bytes || hash.digest("hex") !== sealed.sha256)
        damage.push({ number: member.number, file: name, why: "its content is not what was sealed" });
    }
    yield ARCHIVE_END;
  }
  async function* fileIn(folder: string, name: string, hash: Hash): AsyncGenerator<Buffer, number> {
    const handle = await open(path.join(folder, name), "r");
    try {
      const { size } = await handle.stat();
      const extents = extentsBetween(holes(handle.fd, size), size);
      const file = { type: "file", name, size, extents } as const;
      yield headerOf(file, mtime);
      let from = 0;
      for await (const { at, bytes } of dataOf(handle, extents, pace)) {
        hashZeros(hash, at - from);
        hash.update(bytes);
        from = at + bytes.length;
        yield bytes;
        onProgress(bytes.length);
      }
      hashZeros(hash, size - from);
      onProgress(size - dataBytes(file));
      yield paddingAfter(dataBytes(file));
      return size;
    } finally {
      await handle.close();
    }
  }
  try {
    const packed = await compressInto(into, pieces(), pace);
    return { packed, damage };
  } catch (error) {
    const why = damageOf(error);
    if (why === null) throw error;
    return { packed: { bytes: 0, sha256: "" }, damage: [{ number: member.number, file: ".", why }] };
  }
}

/** The same order for the same files: pagemaps with their memory areas, the other small images, then what may be large. */
function smallFirst(names: readonly string[]): readonly string[] {
  const areas = new Set(names.flatMap((name) => mmNameOf(name) ?? []));
  const rank = (name: string): number => (isBulk(name) ? 2 : isPagemapName(name) || areas.has(name) ? 0 : 1);
  return names.toSorted((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}

function extentsBetween(holes: ReturnType<Holes>, size: number): readonly Extent[] {
  const extents: Extent[] = [];
  let at = 0;
  // File systems tell of holes in blocks of their own, which are no smaller than tar's.
  for (const { from, to } of [...holes, { from: size, to: size }]) {
    const end = from === size ? size : Math.ceil(from / BLOCK) * BLOCK;
    const next = to === size ? size : Math.floor(to / BLOCK) * BLOCK;
    if (next < end) continue;
    if (end > at) extents.push({ at, bytes: end - at });
    at = next;
  }
  return extents;
}

/** A file's data, block by block; a block is good until the next but one is asked for. */
async function* dataOf(
  handle: FileHandle,
  extents: readonly Extent[],
  pace?: Pace,
): AsyncGenerator<{ readonly at: number; readonly bytes: Buffer }, void> {
  const buffers = [0, 1].map(() =>
    Buffer.allocUnsafeSlow(Math.min(READ, Math.max(1, ...extents.slice(0, 64).map(({ bytes }) => bytes)))),
  );
  const blocks = blocksOf(extents, buffers[0]?.length ?? READ);
  yield* readAhead(async (turn) => {
    const next = blocks.next();
    const buffer = buffers[turn];
    if (next.done === true || buffer === undefined) return null;
    const { at, bytes } = next.value;
    await pace?.(bytes);
    for (let read = 0; read < bytes;) {
      const { bytesRead } = await handle.read(buffer, read, bytes - read, at + read);
      if (bytesRead === 0) throw Object.assign(new Error("it has become shorter"), { code: "EIO" });
      read += bytesRead;
    }
    return { at, bytes: buffer.subarray(0, bytes) };
  });
}

function* blocksOf(extents: readonly Extent[], most: number): Generator<Extent, void> {
  for (const extent of extents)
    for (let done = 0; done < extent.bytes; done += most)
      yield { at: extent.at + done, bytes: Math.min(most, extent.bytes - done) };
}

const zeros = Buffer.alloc(1 << 20);

/** A hole counts in a digest as what it reads as. */
export function hashZeros(hash: Hash, count: number): void {
  for (let left = count; left > 0; left -= zeros.length) hash.update(left < zeros.length ? zeros.subarray(0, left) : zeros);
}
