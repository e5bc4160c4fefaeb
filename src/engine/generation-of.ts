import type { Generation } from "../domain/generation.ts";
import type { JobName } from "../domain/job.ts";
import type { Manifest } from "../domain/manifest.ts";
import { Fault } from "../faults/fault.ts";
import type { Marks, Vault } from "./ports.ts";

/**
 * The catalogue row of a sealed generation, from the vault alone; one whose manifest cannot be trusted is listed as damaged. What says nothing
 * of the generation itself marks nothing. Faults: `key-unusable`, `vault-newer`.
 */
export async function generationOf(vault: Vault, job: JobName, number: number, marks: Marks): Promise<Generation> {
  try {
    return rowOf(await vault.manifest(job, number), marks);
  } catch (error) {
    if (!(error instanceof Fault) || error.code === "key-unusable" || error.code === "vault-newer") throw error;
    return damagedRow(job, number, error.message);
  }
}

/** The row of a manifest, with what was said of it since. `bytes` counts every file it digests, or the one that they are packed in. */
export function rowOf(manifest: Manifest, marks: Marks): Generation {
  const mark = marks[String(manifest.number)] ?? {};
  const plain = Object.values(manifest.digests).reduce((sum, file) => sum + file.bytes, 0);
  return {
    job: manifest.job,
    number: manifest.number,
    id: manifest.id,
    timeline: manifest.timeline,
    run: manifest.run,
    kind: manifest.kind,
    parent: manifest.parent?.number ?? null,
    takenAt: manifest.takenAt,
    state: mark.state ?? (manifest.consumed ? "consumed" : "sealed"),
    reason: mark.reason ?? manifest.reason,
    tracking: manifest.tracking,
    bytes: manifest.packed?.bytes ?? plain - (manifest.consumed?.holeBytes ?? 0),
    freezeMicros: manifest.freezeMicros,
    pages: manifest.pages,
    provenAt: mark.provenAt ?? null,
    provenMilliseconds: mark.provenMilliseconds ?? null,
    held: mark.held ?? false,
    ...(manifest.packed !== undefined && { unpackedBytes: plain }),
  };
}

/** Is it the row of a generation whose manifest could not be trusted when it was listed? */
export function isUnread({ id }: Generation): boolean {
  return id.startsWith("unreadable-");
}

function damagedRow(job: JobName, number: number, reason: string): Generation {
  return {
    job,
    number,
    id: `unreadable-${number}`,
    timeline: 0,
    run: 0,
    kind: "base",
    parent: null,
    takenAt: 0,
    state: "damaged",
    reason,
    tracking: "compare",
    bytes: 0,
    freezeMicros: 0,
    pages: { scanned: 0, written: 0, skipped: 0, kept: 0 },
    provenAt: null,
    provenMilliseconds: null,
    held: false,
  };
}
