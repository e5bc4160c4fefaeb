import type { JobName } from "../domain/job.ts";
import type { Manifest } from "../domain/manifest.ts";
import type { Pace } from "../engine/ports.ts";
import { chainOf } from "./chain.ts";
import { type FoldedFolder, foldFolder } from "./fold-folder.ts";
import { rewrite } from "./rewrite.ts";
import type { Room } from "./room.ts";
import { checkStructure } from "./verify.ts";

export type Folding = {
  readonly job: JobName;
  readonly number: number;
  readonly parent: number | null;
  readonly pace?: Pace | undefined;
};

/** The part that reads and writes pages, past the {@link Room}'s disk: none of it is durable, nor need it be, before the syncs here. */
export type FoldHands = { readonly foldFolder: typeof foldFolder; readonly checkStructure: typeof checkStructure };

/**
 * Rewrites a sealed generation so that it stands on an ancestor, or on nothing (the port's `fold`), crash-safe by {@link rewrite}.
 * One that stands there already is left as it is, so a pass that was cut off may fold again.
 */
export async function fold(
  room: Room,
  key: Buffer,
  { job, number, parent, pace }: Folding,
  onProgress: (bytes: number, total: number) => void,
  hands: FoldHands = { foldFolder, checkStructure },
): Promise<{ readonly bytesMoved: number }> {
  const manifests = await chainOf(room, key, job, number);
  const [own] = manifests;
  if (own === undefined || (own.parent?.number ?? null) === parent) return { bytesMoved: 0 };
  const chain = manifests.map((manifest) => ({ ...manifest, folder: room.paths.generation(job, manifest.number) }));
  const place = parent === null ? chain.length : chain.findIndex((member) => member.number === parent);
  if (place < 1) throw new Error(`generation ${number} of ${job} does not stand on ${parent}`);
  let bytesMoved = 0;
  await rewrite(room, key, { job, own, chain, pace }, hands.checkStructure, async (aside) => {
    const folded = await hands.foldFolder({ chain, parent: place, into: aside }, onProgress, pace);
    bytesMoved = folded.bytesMoved;
    const { digests, damage } = folded;
    return { manifest: manifestAfter(own, chain[place], folded), digests, below: chain.slice(place), damage };
  });
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
