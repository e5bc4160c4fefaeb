import { createHash } from "node:crypto";
import path from "node:path";
import type { FileDigests, Manifest } from "../domain/manifest.ts";
import type { Making } from "../engine/ports.ts";
import { Fault } from "../faults/fault.ts";
import { unless } from "./atomic.ts";
import { manifestBytes } from "./manifest.ts";
import { MANIFEST } from "./paths.ts";
import type { Room } from "./room.ts";
import { removeTree, syncTree, walk } from "./tree.ts";

/**
 * Makes a generation permanent. The order is the law (L4): every file and folder synced, then the manifest, synced, then its
 * folder; then one rename takes the whole directory to its place, and a sync of `generations/` makes that durable. A crash or a
 * failure before the rename leaves a `.making-N` and nothing else; after it, a whole generation.
 *
 * Files the digests do not name (CRIU's log) are read and digested here, so that the manifest covers every file. `bytes` is the
 * sum over the digests: what a rebuild of the catalogue finds again.
 */
export async function seal(
  room: Room,
  key: Buffer,
  making: Making,
  manifest: Omit<Manifest, "digests">,
  digests: FileDigests,
): Promise<{ readonly bytes: number }> {
  const { disk, paths } = room;
  if (manifest.job !== making.job || manifest.number !== making.number) throw new Error("the manifest is of another generation");
  const file = path.join(making.folder, MANIFEST);
  // A seal that failed at its last steps may be tried again.
  await disk.removeFile(file).catch(unless("ENOENT"));
  const all = await digestsOf(room, making, manifest, digests);
  await syncTree(disk, making.folder);
  await disk.create(file, manifestBytes({ ...manifest, digests: all }, key));
  await disk.sync(file);
  await disk.sync(making.folder);
  await moveIntoPlace(room, making, paths.generation(making.job, making.number));
  // The dump is in the generation now; if this fails the next sweep does it.
  await removeTree(disk, making.staging).catch(() => undefined);
  return { bytes: Object.values(all).reduce((sum, each) => sum + each.bytes, 0) };
}

async function moveIntoPlace(room: Room, making: Making, generation: string): Promise<void> {
  await room.disk.rename(making.folder, generation);
  try {
    await room.disk.sync(path.dirname(generation));
  } catch (error) {
    // What we call failed must not be offered.
    await room.disk.rename(generation, making.folder).catch(() => undefined);
    throw error;
  }
}

/** The digests of every file there is, in order of name; checks that what was digested is what lies there. */
async function digestsOf(
  room: Room,
  making: Making,
  manifest: Omit<Manifest, "digests">,
  given: FileDigests,
): Promise<FileDigests> {
  const entries = await walk(room.disk, making.folder);
  const found: Record<string, FileDigests[string]> = {};
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const at = path.join(making.folder, entry.name);
    if (entry.type === "link") await checkLink(room, at, entry.name, manifest);
    else if (entry.type === "other") throw new Error(`${at} is no file`);
    else if (entry.type === "file") found[entry.name] = await digestOf(room, at, given[entry.name]);
  }
  const lost = Object.keys(given).find((name) => found[name] === undefined);
  if (lost !== undefined) throw Fault.of("io-failed", { what: `sealing ${making.folder}`, why: `${lost} is not there any more` });
  return found;
}

async function digestOf(room: Room, at: string, given: FileDigests[string] | undefined): Promise<FileDigests[string]> {
  if (given === undefined) {
    const bytes = await room.disk.read(at);
    return { bytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
  }
  const size = (await room.disk.status(at))?.size;
  if (size === given.bytes) return given;
  throw Fault.of("io-failed", { what: `sealing ${at}`, why: `it has ${size} bytes, ${given.bytes} were written` });
}

/** The one link a generation may hold: `parent`, to the generation the manifest names, beside it. */
async function checkLink(room: Room, at: string, name: string, manifest: Omit<Manifest, "digests">): Promise<void> {
  const target = await room.disk.readLink(at);
  if (name !== "parent" || manifest.parent === null || target !== `../${manifest.parent.number}`) {
    throw new Error(`${at} points to ${target}, which the manifest does not name`);
  }
}
