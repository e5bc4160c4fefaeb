import { constants, copyFile } from "node:fs/promises";
import path from "node:path";
import type { JobName } from "../domain/job.ts";
import type { Manifest } from "../domain/manifest.ts";
import type { Damage } from "../engine/ports.ts";
import { Fault } from "../faults/fault.ts";
import { chainOf } from "./chain.ts";
import { isErrno } from "./disk-fault.ts";
import { type FoldedFolder, foldFolder } from "./fold-folder.ts";
import { sealedNumbers } from "./generation-files.ts";
import { manifestBytes } from "./manifest.ts";
import { MANIFEST } from "./paths.ts";
import type { Room } from "./room.ts";
import { switchGeneration } from "./switch-generation.ts";
import { removeTree, syncTree, walk } from "./tree.ts";
import { checkStructure } from "./verify.ts";

export type Folding = { readonly job: JobName; readonly number: number; readonly parent: number | null };

/** The part that reads and writes pages, past the {@link Room}'s disk: none of it is durable, nor need it be, before the syncs here. */
export type FoldHands = { readonly foldFolder: typeof foldFolder; readonly checkStructure: typeof checkStructure };

/**
 * Rewrites a sealed generation so that it stands on an ancestor, or on nothing (the port's `fold`). The order is the law (L4): the new
 * directory is built aside as `.folding-N`, all its files synced, its manifest last; then one step puts it in the old one's place
 * (see {@link switchGeneration}). A crash before that step leaves the old generation, after it the new one, and in both cases a
 * leftover for the next sweep. Other files than pages and pagemaps are not read again: both directories share them (hard links).
 *
 * One that stands there already is left as it is, so a pass that was cut off may fold again.
 */
export async function fold(
  room: Room,
  key: Buffer,
  { job, number, parent }: Folding,
  onProgress: (bytes: number, total: number) => void,
  hands: FoldHands = { foldFolder, checkStructure },
): Promise<{ readonly bytesMoved: number }> {
  const { disk, paths } = room;
  const manifests = await chainOf(room, key, job, number);
  const [own] = manifests;
  if (own === undefined || (own.parent?.number ?? null) === parent) return { bytesMoved: 0 };
  const chain = manifests.map((manifest) => ({ ...manifest, folder: paths.generation(job, manifest.number) }));
  const place = parent === null ? chain.length : chain.findIndex((member) => member.number === parent);
  if (place < 1) throw new Error(`generation ${number} of ${job} does not stand on ${parent}`);
  const aside = paths.folding(job, number);
  await removeTree(disk, aside);
  let bytesMoved: number;
  const refuse = async (damage: readonly Damage[]): Promise<void> => {
    if (damage[0] !== undefined) throw await damaged(room, job, damage[0].number, `${damage[0].file}: ${damage[0].why}`);
  };
  try {
    await refuse(await hands.checkStructure(chain));
    await disk.makeFolder(aside);
    const folded = await hands.foldFolder({ chain, parent: place, into: aside }, onProgress);
    await refuse(folded.damage);
    const manifest = manifestAfter(own, chain[place], folded);
    await linkOthers(room, paths.generation(job, number), aside, own, folded);
    await refuse(await hands.checkStructure([{ ...manifest, folder: aside }, ...chain.slice(place)]));
    await syncTree(disk, aside);
    await disk.create(path.join(aside, MANIFEST), manifestBytes(manifest, key));
    await disk.sync(path.join(aside, MANIFEST));
    await disk.sync(aside);
    bytesMoved = folded.bytesMoved;
  } catch (error) {
    // A full disk must not stay full of it; if this fails too, the next sweep does it.
    await removeTree(disk, aside).catch(() => undefined);
    if (!(error instanceof Fault) || error.code !== "image-malformed") throw error;
    throw await damaged(room, job, number, error.message, error);
  }
  // From here on `.folding-N` may be the old one: it is removed after the sync, or by the next sweep.
  await switchGeneration(room, job, number);
  return { bytesMoved };
}

function manifestAfter(own: Manifest, parent: Manifest | undefined, { digests, pagesKept }: FoldedFolder): Manifest {
  return {
    ...own,
    kind: parent === undefined ? "base" : "increment",
    parent: parent === undefined ? null : { number: parent.number, id: parent.id },
    pages: { ...own.pages, kept: pagesKept },
    digests: { ...own.digests, ...digests },
  };
}

/** Gives every file that was not written anew a second name in the new directory. The old directory's damage was looked for before. */
async function linkOthers({ disk }: Room, from: string, into: string, own: Manifest, { digests }: FoldedFolder): Promise<void> {
  const folders = (await walk(disk, from)).filter(({ type }) => type === "folder").map(({ name }) => name);
  for (const name of folders.toSorted()) await disk.makeFolder(path.join(into, name));
  for (const name of Object.keys(own.digests)) {
    if (digests[name] !== undefined) continue;
    const [file, second] = [path.join(from, name), path.join(into, name)];
    await disk.link(file, second).catch((error: unknown) => {
      // No hard links here (some network and FUSE file systems), or too many of this one.
      if (!isErrno(error, "EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK")) throw error;
      return copyFile(file, second, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
    });
  }
}

async function damaged(room: Room, job: JobName, point: number, why: string, cause?: unknown): Promise<Fault> {
  const older = (await sealedNumbers(room, job)).filter((number) => number < point).at(-1);
  return Fault.of("point-damaged", { point, job, why, other: older ?? "N" }, { cause });
}
