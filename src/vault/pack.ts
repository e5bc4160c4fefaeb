import path from "node:path";
import type { JobName } from "../domain/job.ts";
import type { Manifest } from "../domain/manifest.ts";
import type { Damage, Pace } from "../engine/ports.ts";
import { Fault } from "../faults/fault.ts";
import type { Holes } from "./holes.ts";
import { generationManifest } from "./generation-files.ts";
import { checkPack, unpackInto } from "./pack-read.ts";
import { writePack } from "./pack-write.ts";
import { checkFolder } from "./pages-check.ts";
import { PACK } from "./paths.ts";
import { replaceGeneration } from "./replace-generation.ts";
import { damaged } from "./rewrite.ts";
import type { Room } from "./room.ts";

/** The part that reads and writes files, past the {@link Room}'s disk: nothing of it is durable before the syncs of the switch. */
export type PackHands = {
  readonly checkFolder: typeof checkFolder;
  readonly writePack: typeof writePack;
  readonly checkPack: typeof checkPack;
  readonly unpackInto: typeof unpackInto;
};

export type Packing = { readonly job: JobName; readonly number: number; readonly holes: Holes; readonly pace?: Pace | undefined };

const hands: PackHands = { checkFolder, writePack, checkPack, unpackInto };

/**
 * Packs a sealed generation into one file (the port's `pack`). What was written is read back, unpacked in memory, before it takes the place of
 * the files: a crash leaves them, or a pack that was whole when it was made. One that is packed is left as it is.
 */
export async function pack(
  room: Room,
  key: Buffer,
  { job, number, holes, pace }: Packing,
  onProgress: (bytes: number, total: number) => void,
  { checkFolder: check, writePack: write, checkPack: readBack } = hands,
): Promise<void> {
  const own = await generationManifest(room, key, job, number);
  if (own.packed !== undefined) return;
  // Its pages files are full of holes that its pagemaps do not tell of, and it goes with the one that has its pages.
  if (own.consumed !== undefined) throw new Error(`generation ${number} of ${job} is consumed`);
  const member = { ...own, folder: room.paths.generation(job, number) };
  const progress = told(bytesOf(own) * 2, onProgress);
  await refuse(room, job, await check(member));
  await replaceGeneration(room, key, { job, number }, async (aside) => {
    const into = path.join(aside, PACK);
    const { packed, damage } = await write({ member, madeAt: own.sealedAt, into, holes }, progress, pace);
    await refuse(room, job, damage);
    const [wrong] = await readBack({ ...own, packed, folder: aside }, "everything", progress, pace);
    if (wrong !== undefined)
      throw Fault.of("io-failed", {
        what: `packing point ${number} of ${job}`,
        why: `${wrong.file} does not read back: ${wrong.why}`,
      });
    return { ...own, packed };
  });
}

/** The way back (the port's `unpack`): a crash leaves the pack, or the very files that were packed. One that is not packed is left as it is. */
export async function unpack(
  room: Room,
  key: Buffer,
  { job, number, pace }: Omit<Packing, "holes">,
  onProgress: (bytes: number, total: number) => void,
  { unpackInto: write } = hands,
): Promise<void> {
  const { packed, ...plain } = await generationManifest(room, key, job, number);
  if (packed === undefined) return;
  const member = { ...plain, packed, folder: room.paths.generation(job, number) };
  await replaceGeneration(room, key, { job, number }, async (aside) => {
    await refuse(room, job, await write(member, aside, told(bytesOf(plain), onProgress), pace));
    return plain;
  });
}

export async function refuse(room: Room, job: JobName, [first]: readonly Damage[]): Promise<void> {
  if (first !== undefined) throw await damaged(room, job, first.number, `${first.file}: ${first.why}`);
}

function bytesOf({ digests }: Pick<Manifest, "digests">): number {
  return Object.values(digests).reduce((sum, { bytes }) => sum + bytes, 0);
}

function told(total: number, onProgress: (bytes: number, total: number) => void): (bytes: number) => void {
  let done = 0;
  return (bytes) => onProgress((done += bytes), total);
}
