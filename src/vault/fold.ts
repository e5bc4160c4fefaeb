import { constants, copyFile } from "node:fs/promises";
import path from "node:path";
import type { JobName } from "../domain/job.ts";
import type { Manifest } from "../domain/manifest.ts";
import type { Damage } from "../engine/ports.ts";
import { Fault } from "../faults/fault.ts";
import { chainOf } from "./chain.ts";
import { isErrno } from "./disk-fault.ts";
import { foldFolder } from "./fold-folder.ts";
import { damagedBy } from "./generation-files.ts";
import { manifestBytes } from "./manifest.ts";
import { MANIFEST } from "./paths.ts";
import type { SealedFolder } from "./pages-check.ts";
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
  const below = chain.slice(place);
  const aside = paths.folding(job, number);
  await removeTree(disk, aside);
  try {
    await refuseDamage(room, own, await hands.checkStructure(chain));
    await disk.makeFolder(aside);
    const folded = await hands.foldFolder({ chain, parent: place, into: aside }, onProgress);
    if (!("bytesMoved" in folded)) return await refuseDamage(room, own, folded);
    const manifest = newManifest(own, below[0], folded);
    await linkOthers(room, own, aside, new Set(Object.keys(folded.digests)));
    await refuseDamage(room, own, await hands.checkStructure([{ ...manifest, folder: aside }, ...below]));
    await syncTree(disk, aside);
    await disk.create(path.join(aside, MANIFEST), manifestBytes(manifest, key));
    await disk.sync(path.join(aside, MANIFEST));
    await disk.sync(aside);
    await switchGeneration(room, job, number);
    return { bytesMoved: folded.bytesMoved };
  } catch (error) {
    throw await undone(room, own, error);
  }
}
