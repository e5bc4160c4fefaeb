import type { JobName } from "../domain/job.ts";
import { chainOf } from "./chain.ts";
import { dedupFolder } from "./dedup-folder.ts";
import { rewrite } from "./rewrite.ts";
import type { Room } from "./room.ts";
import { checkStructure } from "./verify.ts";

/** As fold's hands: the part that reads and writes pages, past the {@link Room}'s disk. */
export type DedupHands = { readonly dedupFolder: typeof dedupFolder; readonly checkStructure: typeof checkStructure };

/**
 * Thins a sealed increment anew (the port's `dedup`): after folds it may hold pages that its parents hold too. Crash-safe by {@link rewrite};
 * a base, and an increment that holds no such page, are left as they are.
 */
export async function dedup(
  room: Room,
  key: Buffer,
  { job, number }: { readonly job: JobName; readonly number: number },
  onProgress: (bytes: number, total: number) => void,
  hands: DedupHands = { dedupFolder, checkStructure },
): Promise<{ readonly pagesDropped: number }> {
  const manifests = await chainOf(room, key, job, number);
  const [own] = manifests;
  if (own === undefined || own.parent === null) return { pagesDropped: 0 };
  const chain = manifests.map((manifest) => ({ ...manifest, folder: room.paths.generation(job, manifest.number) }));
  let dropped = 0;
  await rewrite(room, key, { job, own, chain }, hands.checkStructure, async (aside) => {
    const { digests, damage, pagesKept, pagesDropped } = await hands.dedupFolder(chain, aside, onProgress);
    dropped = pagesDropped;
    if (pagesDropped === 0 && damage.length === 0) return null;
    const manifest = { ...own, pages: { ...own.pages, kept: pagesKept }, digests: { ...own.digests, ...digests } };
    return { manifest, digests, below: chain.slice(1), damage };
  });
  return { pagesDropped: dropped };
}
