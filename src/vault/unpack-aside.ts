import { symlink } from "node:fs/promises";
import path from "node:path";
import type { JobName } from "../domain/job.ts";
import type { Manifest } from "../domain/manifest.ts";
import type { Pace } from "../engine/ports.ts";
import { PARENT_LINK } from "../images/image-names.ts";
import { chainOf } from "./chain.ts";
import { refuse } from "./pack.ts";
import { unpackInto } from "./pack-read.ts";
import { MANIFEST } from "./paths.ts";
import { linkOthers } from "./rewrite.ts";
import type { Room } from "./room.ts";
import { listIfThere, removeTree } from "./tree.ts";

/**
 * The folder of a generation as CRIU reads it: its own where nothing of its chain is packed; else one below `.unpacked-N`, beside those of all
 * it stands on, the packed ones unpacked, the others with second names of their files. Each file that is unpacked is held against its digest.
 * Nothing in the generations is changed, and nothing here need be durable. A crash leaves the folder for the next {@link sweepUnpacked}.
 * Faults: `chain-broken`, `point-damaged`.
 */
export async function unpackAside(
  room: Room,
  key: Buffer,
  { job, number, pace }: { readonly job: JobName; readonly number: number; readonly pace?: Pace | undefined },
  onProgress: (bytes: number, total: number) => void,
): Promise<string> {
  const { disk, paths } = room;
  const chain = await chainOf(room, key, job, number);
  const packed = chain.filter((one) => one.packed !== undefined);
  if (packed.length === 0) return paths.generation(job, number);
  const place = paths.unpacked(job, number);
  const total = packed.flatMap(({ digests }) => Object.values(digests)).reduce((sum, { bytes }) => sum + bytes, 0);
  let done = 0;
  const onBytes = (bytes: number): void => onProgress((done += bytes), total);
  await removeTree(disk, place);
  try {
    await disk.makeFolder(place);
    for (const member of chain) {
      const [from, into] = [paths.generation(job, member.number), path.join(place, String(member.number))];
      await disk.makeFolder(into);
      if (member.packed === undefined) await secondNames(room, member, from, into);
      else await refuse(room, job, await unpackInto({ ...member, folder: from }, into, onBytes, pace));
      // An export shows it beside the images.
      await disk.create(path.join(into, MANIFEST), await disk.read(path.join(from, MANIFEST)));
    }
  } catch (error) {
    await removeTree(disk, place).catch(() => undefined);
    throw error;
  }
  return path.join(place, String(number));
}

async function secondNames(room: Room, own: Manifest, from: string, into: string): Promise<void> {
  await linkOthers(room, { from, into, own, written: {}, pace: undefined });
  const link = (await listIfThere(room.disk, from)).find(({ name, type }) => name === PARENT_LINK && type === "link");
  if (link !== undefined) await symlink(await room.disk.readLink(path.join(from, PARENT_LINK)), path.join(into, PARENT_LINK));
}

/** Throws away what was unpacked aside; gives the folders' names. For the holder of the job's lease, who knows that none but its own is read. */
export async function sweepUnpacked({ disk, paths }: Room, job: JobName): Promise<readonly string[]> {
  const entries = (await listIfThere(disk, paths.job(job))).filter(({ name }) => /^\.unpacked-\d+$/.test(name));
  for (const { name } of entries) await removeTree(disk, path.join(paths.job(job), name));
  return entries.map(({ name }) => name);
}

/** The folders of a chain: those unpacked aside for its first one if it is read now, else the generations' own. */
export async function foldersNow(
  { disk, paths }: Room,
  job: JobName,
  chain: readonly Pick<Manifest, "number">[],
): Promise<readonly string[]> {
  const place = paths.unpacked(job, chain[0]?.number ?? 0);
  const isAside = (await disk.status(place)) !== null;
  return chain.map(({ number }) => (isAside ? path.join(place, String(number)) : paths.generation(job, number)));
}
