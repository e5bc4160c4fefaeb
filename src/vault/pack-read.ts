import { createHash } from "node:crypto";
import { access, mkdir, open, symlink } from "node:fs/promises";
import path from "node:path";
import type { Damage, Pace } from "../engine/ports.ts";
import { PARENT_LINK } from "../images/image-names.ts";
import { malformed } from "../images/malformed.ts";
import { hashZeros } from "./pack-write.ts";
import type { SealedFolder } from "./sealed-folder.ts";
import { damageOf } from "./pages-damage.ts";
import { PACK } from "./paths.ts";
import { isBulk } from "./pick-share.ts";
import { readTar, type TarEntry } from "./tar-read.ts";
import { decompressed } from "./zstd.ts";

/** `small`: only the images before the first file that may be large, and the pack's own digest is not told. */
export type Reach = "everything" | "small";

type Keep = { readonly into: string | null; readonly reach: Reach };

/**
 * Reads a packed generation where it lies, as far as `reach` says: each file's length and digest against the manifest, the link, the pack's own
 * digest. Writes nothing. What is not damage (no permission) is thrown. `onBytes` hears of bytes as they were before the packing.
 */
export async function checkPack(
  member: SealedFolder,
  reach: Reach,
  onBytes: (bytes: number) => void,
  pace?: Pace,
): Promise<readonly Damage[]> {
  return readPack(member, { into: null, reach }, onBytes, pace);
}

/**
 * Writes what is packed into an empty folder, the very files that were packed, holes kept, each held against its digest on the way. Damage is told,
 * and then the folder is of no use. Syncs nothing; a failure in the middle leaves a part of it.
 */
export async function unpackInto(
  member: SealedFolder,
  into: string,
  onBytes: (bytes: number) => void,
  pace?: Pace,
): Promise<readonly Damage[]> {
  return readPack(member, { into, reach: "everything" }, onBytes, pace);
}

/**
 * A small image of a packed generation; `null`: it holds none of this name, or there is no pack. Small images come first, so little of the
 * pack is read. Faults: `image-malformed` if it cannot be read.
 */
export async function packedImage(folder: string, name: string): Promise<Buffer | null> {
  const file = path.join(folder, PACK);
  if (!(await isPacked(folder))) return null;
  for await (const entry of readTar(
    decompressed(file, () => undefined),
    file,
  )) {
    if (entry.type === "file" && isBulk(entry.name)) return null;
    if (entry.type !== "file" || entry.name !== name) continue;
    const bytes = Buffer.alloc(entry.size);
    for await (const part of entry.parts) part.bytes.copy(bytes, part.at);
    return bytes;
  }
  return null;
}

/** Does a pack lie in this folder? */
export async function isPacked(folder: string): Promise<boolean> {
  return access(path.join(folder, PACK)).then(
    () => true,
    () => false,
  );
}

async function readPack(
  member: SealedFolder,
  { into, reach }: Keep,
  onBytes: (bytes: number) => void,
  pace?: Pace,
): Promise<readonly Damage[]> {
  const damage: Damage[] = [];
  const tell = (file: string, why: string): void => void damage.push({ number: member.number, file, why });
  const file = path.join(member.folder, PACK);
  const own = createHash("sha256");
  const missing = new Set(Object.keys(member.digests).filter((name) => reach === "everything" || !isBulk(name)));
  try {
    for await (const entry of readTar(
      decompressed(file, (block) => own.update(block), pace),
      file,
    )) {
      if (entry.type === "file" && reach === "small" && isBulk(entry.name)) break;
      const why = await readEntry(member, entry, into, missing, onBytes, pace);
      if (why !== null) tell(entry.name, why);
    }
    for (const name of missing) tell(name, "it is missing");
    if (reach === "everything" && own.digest("hex") !== member.packed?.sha256) tell(PACK, "its content is not what was packed");
  } catch (error) {
    const why = damageOf(error);
    if (why === null) throw error;
    tell(PACK, why);
  }
  return damage;
}

/** Only what the manifest names is taken, so no name in the pack can lead out of the folder. */
async function readEntry(
  member: SealedFolder,
  entry: TarEntry,
  into: string | null,
  missing: Set<string>,
  onBytes: (bytes: number) => void,
  pace?: Pace,
): Promise<string | null> {
  const { name, type } = entry;
  if (type === "link") {
    if (name !== PARENT_LINK || entry.target !== `../${member.parent?.number}`) return `it points to ${entry.target}`;
    if (into !== null) await symlink(entry.target, path.join(into, name));
    return null;
  }
  const names = Object.keys(member.digests);
  if (type === "folder") {
    if (into === null) return null;
    if (name !== "files" && !names.some((file) => file.startsWith(`${name}/`))) return "it is not in the manifest";
    await mkdir(path.join(into, name), { recursive: true, mode: 0o700 });
    return null;
  }
  const sealed = member.digests[name];
  // Who looks may have asked for some files only; what the pack's own digest covers is what was packed.
  if (sealed === undefined) return into === null ? null : "it is not in the manifest";
  if (!missing.delete(name)) return "it is there twice";
  if (entry.size !== sealed.bytes) return `it has ${entry.size} bytes, ${sealed.bytes} were sealed`;
  const sha256 = into === null ? await digestOf(entry, onBytes) : await writeOut(entry, path.join(into, name), onBytes, pace);
  return sha256 === sealed.sha256 ? null : "its content is not what was sealed";
}

async function digestOf({ parts, size }: TarEntry, onBytes: (bytes: number) => void): Promise<string> {
  const hash = createHash("sha256");
  let from = 0;
  for await (const { at, bytes } of parts) {
    hashZeros(hash, at - from);
    hash.update(bytes);
    onBytes(at - from + bytes.length);
    from = at + bytes.length;
  }
  hashZeros(hash, size - from);
  onBytes(size - from);
  return hash.digest("hex");
}

async function writeOut(entry: TarEntry, to: string, onBytes: (bytes: number) => void, pace?: Pace): Promise<string> {
  const handle = await open(to, "wx", 0o600);
  async function* written(): AsyncGenerator<{ at: number; bytes: Buffer }, void> {
    for await (const part of entry.parts) {
      await pace?.(part.bytes.length);
      for (let done = 0; done < part.bytes.length;)
        done += (await handle.write(part.bytes, done, part.bytes.length - done, part.at + done)).bytesWritten;
      yield part;
    }
  }
  try {
    const sha256 = await digestOf({ ...entry, parts: written() }, onBytes);
    // What ends in a hole ends where the last write did.
    await handle.truncate(entry.size);
    return sha256;
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === "EEXIST" ? malformed(to, "it is there twice") : error;
  } finally {
    await handle.close();
  }
}
