import { symlink } from "node:fs/promises";
import path from "node:path";
import type { JobName } from "../domain/job.ts";
import type { Manifest } from "../domain/manifest.ts";
import type { Damage } from "../engine/ports.ts";
import { Fault } from "../faults/fault.ts";
import { chainOf } from "./chain.ts";
import { type DedupedFolder, dedupFolder } from "./dedup-folder.ts";
import { damagedAt, linkOthers } from "./fold.ts";
import { manifestBytes } from "./manifest.ts";
import { MANIFEST } from "./paths.ts";
import type { Room } from "./room.ts";
import { switchGeneration } from "./switch-generation.ts";
import { removeTree, syncTree } from "./tree.ts";
import { checkStructure } from "./verify.ts";

/**
 * Thins a sealed increment anew (the port's `dedup`): after folds and adoptions it may hold pages that its parents hold too. In the order of
 * {@link fold}: built aside as `.folding-N`, synced, the manifest last, one switch. A crash before the switch leaves the old one, after it
 * the new one, and in both cases a leftover for the next sweep.
 */
export async function dedup(
  room: Room,
  key: Buffer,
  { job, number }: { readonly job: JobName; readonly number: number },
  onProgress: (bytes: number, total: number) => void,
): Promise<{ readonly pagesDropped: number }> {
  const { disk, paths } = room;
  const manifests = await chainOf(room, key, job, number);
  const [own] = manifests;
  const chain = manifests.map((manifest) => ({ ...manifest, folder: paths.generation(job, manifest.number) }));
  if (own === undefined || own.parent === null) return { pagesDropped: 0 };
  const aside = paths.folding(job, number);
  await removeTree(disk, aside);
  const refuse = async (damage: readonly Damage[]): Promise<void> => {
    if (damage[0] !== undefined) throw await damagedAt(room, job, damage[0].number, `${damage[0].file}: ${damage[0].why}`);
  };
  let done: DedupedFolder;
  try {
    await refuse(await checkStructure(chain));
    await disk.makeFolder(aside);
    done = await dedupFolder(chain, aside, onProgress);
    await refuse(done.damage);
    if (done.pagesDropped > 0) {
      const manifest: Manifest = {
        ...own,
        pages: { ...own.pages, kept: done.pagesKept },
        digests: { ...own.digests, ...done.digests },
      };
      await linkOthers(room, paths.generation(job, number), aside, own, done);
      await symlink(`../${own.parent.number}`, path.join(aside, "parent"));
      await refuse(await checkStructure([{ ...manifest, folder: aside }, ...chain.slice(1)]));
      await syncTree(disk, aside);
      await disk.create(path.join(aside, MANIFEST), manifestBytes(manifest, key));
      await disk.sync(path.join(aside, MANIFEST));
      await disk.sync(aside);
    }
  } catch (error) {
    await removeTree(disk, aside).catch(() => undefined);
    if (!(error instanceof Fault) || error.code !== "image-malformed") throw error;
    throw await damagedAt(room, job, number, error.message, error);
  }
  if (done.pagesDropped === 0) await removeTree(disk, aside);
  else await switchGeneration(room, job, number);
  return { pagesDropped: done.pagesDropped };
}
