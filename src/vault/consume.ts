import { stat } from "node:fs/promises";
import path from "node:path";
import type { JobName } from "../domain/job.ts";
import type { FileDigests, Manifest } from "../domain/manifest.ts";
import { writeAtomically } from "./atomic.ts";
import { chainOf } from "./chain.ts";
import { manifestBytes } from "./manifest.ts";
import { digestFile } from "./pages-move.ts";
import { MANIFEST } from "./paths.ts";
import type { Room } from "./room.ts";

/**
 * Gives a generation, and all it stands on, manifests that tell of what CRIU's `--auto-dedup` has left of their pages files. The
 * generation itself first: its manifest then says that it was consumed, and a crash in the middle cannot make it look whole again.
 */
export async function consume(
  room: Room,
  key: Buffer,
  { job, number, by }: { readonly job: JobName; readonly number: number; readonly by: number },
): Promise<void> {
  for (const manifest of await chainOf(room, key, job, number)) {
    const folder = room.paths.generation(job, manifest.number);
    const left = await whatIsLeft(room, folder, manifest);
    const told: Manifest = { ...manifest, digests: left.digests, consumed: { by, holeBytes: left.holeBytes } };
    await writeAtomically(room.disk, path.join(folder, MANIFEST), manifestBytes(told, key), room.random);
  }
}

const block = 512;

async function whatIsLeft(
  room: Room,
  folder: string,
  manifest: Manifest,
): Promise<{ readonly digests: FileDigests; readonly holeBytes: number }> {
  const digests: Record<string, FileDigests[string]> = { ...manifest.digests };
  let holeBytes = 0;
  for (const name of Object.keys(manifest.digests)) {
    if (!/^pages-\d+\.img$/.test(name)) continue;
    const file = path.join(folder, name);
    // The holes must be there after a power cut if the digests are.
    await room.disk.sync(file);
    digests[name] = await digestFile(file, () => undefined);
    const { size, blocks } = await stat(file);
    holeBytes += Math.max(0, size - blocks * block);
  }
  return { digests, holeBytes };
}
