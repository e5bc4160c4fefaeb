import path from "node:path";
import type { JobName } from "../domain/job.ts";
import type { Manifest } from "../domain/manifest.ts";
import { manifestBytes } from "./manifest.ts";
import { MANIFEST } from "./paths.ts";
import type { Room } from "./room.ts";
import { switchGeneration } from "./switch-generation.ts";
import { removeTree, syncTree } from "./tree.ts";

/**
 * Puts another directory in the place of a sealed generation. The order is the law (L4): the new directory is filled aside as `.folding-N`,
 * which need not be durable; then all its files are synced, its manifest last; then one step puts it in the old one's place (see
 * {@link switchGeneration}). A crash before that step leaves the old generation, after it the new one, and in both cases a leftover for the next
 * sweep. `fill` gives the manifest, or `null` where there is nothing to gain; if it rejects, nothing is left of it.
 */
export async function replaceGeneration(
  room: Room,
  key: Buffer,
  { job, number }: { readonly job: JobName; readonly number: number },
  fill: (aside: string) => Promise<Manifest | null>,
): Promise<void> {
  const { disk, paths } = room;
  const aside = paths.folding(job, number);
  await removeTree(disk, aside);
  try {
    await disk.makeFolder(aside);
    const manifest = await fill(aside);
    if (manifest === null) return await removeTree(disk, aside);
    await syncTree(disk, aside);
    await disk.create(path.join(aside, MANIFEST), manifestBytes(manifest, key));
    await disk.sync(path.join(aside, MANIFEST));
    await disk.sync(aside);
  } catch (error) {
    // A full disk must not stay full of it; if this fails too, the next sweep does it.
    await removeTree(disk, aside).catch(() => undefined);
    throw error;
  }
  // From here on `.folding-N` may be the old one: it is removed after the sync, or by the next sweep.
  await switchGeneration(room, job, number);
}
