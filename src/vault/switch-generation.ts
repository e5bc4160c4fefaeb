import path from "node:path";
import type { JobName } from "../domain/job.ts";
import { isErrno } from "./disk-fault.ts";
import { numberOf } from "./paths.ts";
import type { Room } from "./room.ts";
import { listIfThere, removeWhole } from "./tree.ts";

/**
 * Puts the durable directory `.folding-N` in the place of generation N, makes that durable, and only then removes the old one.
 *
 * One exchange of the two names, where the file system can: at any moment N is whole, the old one or the new one. Where it cannot
 * (NFS, Lustre), two renames: N to `.old-N`, `.folding-N` to N. Between them there is no N, and a crash there is put right by
 * {@link putBackOld}: nobody may list generations as lost before it has run.
 */
export async function switchGeneration(room: Room, name: JobName, number: number): Promise<void> {
  const { disk, paths } = room;
  const [place, aside, old, gone] = [
    paths.generation(name, number),
    paths.folding(name, number),
    paths.old(name, number),
    paths.gone(name, number),
  ];
  try {
    await disk.exchange(aside, place);
  } catch (error) {
    if (!isErrno(error, "EINVAL", "ENOSYS", "ENOTSUP", "EOPNOTSUPP")) throw error;
    await twoRenames(room, place, aside, old);
    await disk.sync(paths.generations(name));
    return removeWhole(disk, old, gone);
  }
  await disk.sync(paths.generations(name));
  await removeWhole(disk, aside, gone);
}

async function twoRenames({ disk }: Room, place: string, aside: string, old: string): Promise<void> {
  await disk.rename(place, old);
  try {
    await disk.rename(aside, place);
  } catch (error) {
    await disk.rename(old, place).catch(() => undefined);
    throw error;
  }
}

/**
 * After a crash between the two renames: the old generation takes its place again. One that has been replaced is removed as any generation
 * is, under the name `.gone-N`: a half-removed directory must never be put back.
 */
export async function putBackOld({ disk, paths }: Room, name: JobName): Promise<void> {
  const folder = paths.generations(name);
  for (const entry of await listIfThere(disk, folder)) {
    const number = entry.name.startsWith(".old-") ? numberOf(entry.name.slice(".old-".length)) : null;
    if (number === null) continue;
    const old = path.join(folder, entry.name);
    if ((await disk.status(paths.generation(name, number))) === null) {
      await disk.rename(old, paths.generation(name, number));
      await disk.sync(folder);
    } else {
      await disk.sync(folder);
      await removeWhole(disk, old, paths.gone(name, number));
    }
  }
}
