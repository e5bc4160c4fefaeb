import path from "node:path";
import type { JobName } from "../domain/job.ts";
import type { Manifest } from "../domain/manifest.ts";
import { Fault } from "../faults/fault.ts";
import { isErrno } from "./disk-fault.ts";
import { readManifest } from "./manifest.ts";
import { MANIFEST, numberOf } from "./paths.ts";
import type { Room } from "./room.ts";
import { removeWhole } from "./tree.ts";

/** Numbers of the generations whose directory holds a manifest, ascending. */
export async function sealedNumbers(room: Room, name: JobName): Promise<readonly number[]> {
  const names = await room.disk.foldersWith(room.paths.generations(name), MANIFEST).catch((error: unknown) => {
    if (isErrno(error, "ENOENT")) return [];
    throw error;
  });
  return names.flatMap((folder) => numberOf(folder) ?? []).toSorted((a, b) => a - b);
}

/**
 * Faults: `point-unknown`, those of `readManifest`, and `point-damaged` for a sound manifest of another job or number: the
 * directory was copied or renamed, and what stands on it would read another generation's pages.
 */
export async function generationManifest(room: Room, key: Buffer, name: JobName, number: number): Promise<Manifest> {
  const file = manifestFile(room, name, number);
  const bytes = await room.disk.read(file).catch((error: unknown) => {
    if (isErrno(error, "ENOENT", "ENOTDIR")) throw Fault.of("point-unknown", { job: name, point: number }, { cause: error });
    throw error;
  });
  const manifest = readManifest(bytes, key, { file, job: name, number });
  if (manifest.job === name && manifest.number === number) return manifest;
  throw Fault.of("point-damaged", {
    point: number,
    job: name,
    why: `its manifest is that of point ${manifest.number} of ${manifest.job}; the folder was copied or renamed`,
    other: (await sealedNumbers(room, name)).filter((each) => each < number).at(-1) ?? "N",
  });
}

/** Harmless if it is gone. A crash in the middle leaves it whole, or a `.gone-N` for the next sweep. */
export async function removeGeneration(room: Room, name: JobName, number: number): Promise<void> {
  await removeWhole(room.disk, room.paths.generation(name, number), room.paths.gone(name, number));
}

function manifestFile(room: Room, name: JobName, number: number): string {
  return path.join(room.paths.generation(name, number), MANIFEST);
}
