import path from "node:path";
import type { JobName } from "../domain/job.ts";
import type { Making } from "../engine/ports.ts";
import { Fault } from "../faults/fault.ts";
import { ensureFolder, isTemporary, unless } from "./atomic.ts";
import type { VaultIdentity } from "./identity.ts";
import { numberOf } from "./paths.ts";
import { dropPreDumps, isPreDumpName } from "./pre-dumps.ts";
import type { Room } from "./room.ts";
import { putBackOld } from "./switch-generation.ts";
import { listIfThere, removeTree } from "./tree.ts";

/**
 * Two fresh, empty folders. What an earlier try with this number left is thrown away first. Nothing of this need be durable: a
 * crash leaves folders that {@link sweepLeftovers} finds by their names.
 */
export async function prepare(
  room: Room,
  vault: VaultIdentity,
  name: JobName,
  number: number,
  where: "staging" | "vault" = "staging",
): Promise<Making> {
  const { disk, paths } = room;
  if ((await disk.status(paths.generation(name, number))) !== null) throw new Error(`number ${number} of ${name} is already used`);
  const stagings = paths.stagings(vault.id, where);
  const making: Making = {
    job: name,
    number,
    staging: path.join(stagings.folder, `${stagings.prefix}${name}-${number}`),
    folder: paths.making(name, number),
  };
  await discard(room, making);
  await ensureFolder(disk, paths.root, paths.generations(name));
  if ((await disk.status(stagings.folder)) === null) await ensureFolder(disk, "/", stagings.folder);
  try {
    // EEXIST if somebody else's folder has taken that name meanwhile.
    await disk.makeFolder(making.staging);
    await disk.makeFolder(making.folder);
  } catch (error) {
    await discard(room, making).catch(() => undefined);
    throw error;
  }
  return making;
}

/** Throws both folders away, and those of pre-dumps; harmless twice, and harmless after the seal. */
export async function discard(room: Room, making: Making): Promise<void> {
  await dropPreDumps(room, making);
  await removeOwn(room, making.staging);
  await removeTree(room.disk, making.folder);
}

/** Removes a tree, unless it is a folder that somebody else made: the staging's parent may be open to all. */
async function removeOwn(room: Room, folder: string): Promise<void> {
  const found = await room.disk.status(folder);
  if (found === null) return;
  if (found.type === "folder" && found.uid !== process.geteuid?.()) {
    throw Fault.of("vault-unwritable", { path: room.paths.root, why: `${folder} belongs to user ${found.uid}` });
  }
  await removeTree(room.disk, folder);
}

/**
 * Removes what dumps, folds, removals and writes that were cut off left behind, and gives the folders' names. What is found whole is made
 * durable: the process that put it there may have died before its last sync. For the holder of the job's lease alone: to
 * anybody else a generation that is being made looks just like a leftover.
 */
export async function sweepLeftovers(room: Room, vault: VaultIdentity, name: JobName): Promise<readonly string[]> {
  const { paths } = room;
  await putBackOld(room, name);
  const swept = [
    ...(await sweepFolder(
      room,
      paths.generations(name),
      (entry) => /^\.(making|folding|gone)-\d+$/.test(entry) || isPreDumpName(entry),
    )),
    ...(await sweepFolder(room, paths.runs(name), (entry) => /^\.gone-\d+$/.test(entry))),
    ...(await sweepStagings(room, vault, name)),
  ];
  await sweepFolder(room, paths.job(name), isTemporary);
  for (const run of await listIfThere(room.disk, paths.runs(name))) {
    if (run.type === "folder") await sweepFolder(room, path.join(paths.runs(name), run.name), isTemporary);
  }
  // A removed job has nobody to sweep it.
  await sweepFolder(room, paths.jobs, (entry) => entry.startsWith(".gone-"));
  return swept;
}

/** Dumps that began in the vault are looked for too, since not each of them fits into staging. */
async function sweepStagings(room: Room, vault: VaultIdentity, name: JobName): Promise<readonly string[]> {
  const places = [room.paths.stagings(vault.id), room.paths.stagings(vault.id, "vault")];
  const swept: string[] = [];
  for (const { folder, prefix } of new Map(places.map((place) => [place.folder, place])).values()) {
    const begin = `${prefix}${name}-`;
    const isOurs = (entry: string): boolean => entry.startsWith(begin) && numberOf(entry.slice(begin.length)) !== null;
    swept.push(...(await sweepFolder(room, folder, isOurs)));
  }
  return swept;
}

async function sweepFolder(room: Room, folder: string, isLeftover: (name: string) => boolean): Promise<readonly string[]> {
  const entries = await listIfThere(room.disk, folder);
  const swept = entries.map((entry) => entry.name).filter(isLeftover);
  await room.disk.sync(folder).catch(unless("ENOENT"));
  for (const name of swept) await removeOwn(room, path.join(folder, name));
  return swept;
}
