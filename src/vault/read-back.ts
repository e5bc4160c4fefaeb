import type { JobName } from "../domain/job.ts";
import type { Damage, Pace, ReadBack, Reading } from "../engine/ports.ts";
import { readChains } from "./chain.ts";
import { checkFolder, type SealedFolder } from "./pages-check.ts";
import { PACK } from "./paths.ts";
import { type BulkFile, isBulk, pickShare } from "./pick-share.ts";
import { checkPages, damageKey } from "./resolve-check.ts";
import type { Room } from "./room.ts";
import { checkDigests, oldestFirst } from "./verify.ts";

/** Every byte of every file. */
export const everything: Reading = { share: 1, seed: "" };

/**
 * The port's `verifyChains`: finds the chains, and reads back those that are whole in their manifests. Of one that is not, that alone is
 * told: what stands on nothing has its pages nowhere, and there is no more to find out.
 */
export async function verifyChains(
  room: Room,
  key: Buffer,
  { job, numbers, reading }: { readonly job: JobName; readonly numbers: readonly number[]; readonly reading: Reading },
  onProgress: (bytes: number, total: number) => void,
  pace?: Pace,
): Promise<ReadBack> {
  const chains = await readChains(room, key, job, numbers);
  const whole = chains.filter(({ broken }) => broken === null);
  const folders = whole.map(({ members }) =>
    members.map((manifest) => ({ ...manifest, folder: room.paths.generation(job, manifest.number) })),
  );
  const found = await readBack(folders, reading, onProgress, pace);
  const broken = chains.flatMap((chain) => (chain.broken === null ? [] : [chain.broken.damage]));
  return { ...found, damage: oldestFirst(onceEach([...broken, ...found.damage])) };
}

/**
 * Reads chains (each a generation, its parent, and so on to the base) back: of every generation in them the folder, by {@link checkFolder};
 * of each chain's first one every page, by {@link checkPages}; then the digests. A generation that is in several chains is read once.
 * Ends on any damage, truncation included. What is not damage (no permission, too many open files) is thrown.
 */
export async function readBack(
  chains: readonly (readonly SealedFolder[])[],
  reading: Reading,
  onProgress: (bytes: number, total: number) => void,
  pace?: Pace,
): Promise<ReadBack> {
  const members = [...new Map(chains.flat().map((member) => [member.number, member])).values()];
  const structure: Damage[] = [];
  for (const member of members) structure.push(...(await checkFolder(member)));
  structure.push(...(await checkPages(chains, keysOf(structure))));

  const told = keysOf(structure);
  // What is missing, short or too long is told already, and has no content to speak of.
  const isGone = (number: number): boolean => [".", PACK].some((file) => told.has(damageKey(number, file)));
  const left = newestFirst(members.filter(({ number }) => !isGone(number))).map(without(told));
  const bulk = left.flatMap(bulkOf);
  const picked = pickShare(bulk, reading.share, reading.seed);
  const unread = bulk.filter((one) => !picked.has(one));
  const content = await checkDigests(left.map(without(keysOf(unread))), onProgress, pace);
  return {
    damage: oldestFirst([...structure, ...content]),
    read: { files: picked.size, bytes: [...picked].reduce((sum, { bytes }) => sum + bytes, 0) },
    unread: unread.toSorted((a, b) => a.number - b.number),
  };
}

/** A pack is read as a whole, or up to its first file that may be large. */
function bulkOf({ number, digests, packed }: SealedFolder): readonly BulkFile[] {
  if (packed !== undefined) return [{ number, file: PACK, bytes: packed.bytes }];
  return Object.entries(digests).flatMap(([file, { bytes }]) => (isBulk(file) ? [{ number, file, bytes }] : []));
}

function without(files: ReadonlySet<string>): (member: SealedFolder) => SealedFolder {
  return (member) => {
    const isSkipped = (file: string): boolean => files.has(damageKey(member.number, file));
    const digests = Object.entries(member.digests).filter(([file]) => !isSkipped(file) && !(isBulk(file) && isSkipped(PACK)));
    return { ...member, digests: Object.fromEntries(digests) };
  };
}

/** As {@link checkDigests} wants a chain. */
function newestFirst(members: readonly SealedFolder[]): readonly SealedFolder[] {
  return members.toSorted((a, b) => b.number - a.number);
}

function keysOf(files: readonly { readonly number: number; readonly file: string }[]): ReadonlySet<string> {
  return new Set(files.map(({ number, file }) => damageKey(number, file)));
}

function onceEach(damage: readonly Damage[]): readonly Damage[] {
  return [...new Map(damage.map((one) => [damageKey(one.number, one.file), one])).values()];
}
