import path from "node:path";
import type { JobName } from "../domain/job.ts";
import type { Making } from "../engine/ports.ts";
import { Fault } from "../faults/fault.ts";
import { ensureFolder, isTemporary } from "./atomic.ts";
import type { VaultIdentity } from "./identity.ts";
import { sweepGoneJobs } from "./job-files.ts";
import { numberOf } from "./paths.ts";
import type { Room } from "./room.ts";
import { listIfThere, nearestFolder, removeTree } from "./tree.ts";

/**
 * Two fresh, empty folders. What an earlier try with this number left is thrown away first. Nothing of this need be durable: a
 * crash leaves folders that {@link sweepLeftovers} finds by their names.
 */
export async function prepare(room: Room, vault: VaultIdentity, name: JobName, number: number): Promise<Making> {
  const { disk, paths } = room;
  if ((await disk.status(paths.generation(name, number))) !== null) throw new Error(`number ${number} of ${name} is already used`);
  const stagings = paths.stagings(vault.id);
  const making: Making = {
    job: name,
    number,
    staging: path.join(stagings.folder, `${stagings.prefix}${name}-${number}`),
    folder: paths.making(name, number),
  };
  await discard(room, making);
  await ensureFolder(disk, paths.root, paths.generations(name));
  await ensureFolder(disk, await nearestFolder(disk, stagings.folder), stagings.folder);
  try {
    // Not made where somebody else's folder of that name has come back since: the staging's parent may be open to all.
    await disk.makeFolder(making.staging);
    await disk.makeFolder(making.folder);
  } catch (error) {
    await discard(room, making).catch(() => undefined);
    throw error;
  }
  return making;
}

/** Throws both folders away; harmless twice, and harmless after the seal. */
export async function discard(room: Room, making: Making): Promise<void> {
  await removeStaging(room, making.staging);
  await removeTree(room.disk, making.folder);
}

/** A staging folder, unless somebody else put it there. */
export async function removeStaging(room: Room, staging: string): Promise<void> {
  const found = await room.disk.status(staging);
  if (found === null) return;
  if (found.type === "folder" && found.uid !== process.geteuid?.()) {
    throw Fault.of("vault-unwritable", { path: room.paths.root, why: `the staging folder ${staging} belongs to user ${found.uid}` });
  }
  await removeTree(room.disk, staging);
}

/**
 * Removes what dumps, removals and writes that were cut off left behind, and gives the folders' names. For the holder of the
 * job's lease alone: to anybody else a generation that is being made looks just like a leftover.
 */
export async function sweepLeftovers(room: Room, vault: VaultIdentity, name: JobName): Promise<readonly string[]> {
  const { disk, paths } = room;
  const swept: string[] = [];
  for (const [folder, isLeftover] of [
    [paths.generations(name), /^\.(making|gone)-\d+$/],
    [paths.runs(name), /^\.gone-\d+$/],
  ] as const) {
    for (const entry of await listIfThere(disk, folder)) {
      if (!isLeftover.test(entry.name)) continue;
      await removeTree(disk, path.join(folder, entry.name));
      swept.push(entry.name);
    }
  }
  const stagings = paths.stagings(vault.id);
  for (const entry of await listIfThere(disk, stagings.folder)) {
    const begin = `${stagings.prefix}${name}-`;
    if (!entry.name.startsWith(begin) || numberOf(entry.name.slice(begin.length)) === null) continue;
    await removeStaging(room, path.join(stagings.folder, entry.name));
    swept.push(entry.name);
  }
  await sweepTemporaries(room, name);
  await sweepGoneJobs(room);
  return swept;
}

async function sweepTemporaries(room: Room, name: JobName): Promise<void> {
  const { disk, paths } = room;
  const runs = (await listIfThere(disk, paths.runs(name))).filter((entry) => entry.type === "folder");
  for (const folder of [paths.job(name), ...runs.map((run) => path.join(paths.runs(name), run.name))]) {
    for (const entry of await listIfThere(disk, folder)) {
      if (entry.type === "file" && isTemporary(entry.name)) await removeTree(disk, path.join(folder, entry.name));
    }
  }
}
