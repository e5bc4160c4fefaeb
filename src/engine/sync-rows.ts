import type { Generation } from "../domain/generation.ts";
import type { Job } from "../domain/job.ts";
import { Fault } from "../faults/fault.ts";
import { generationOf, isUnread } from "./generation-of.ts";
import { tellDamaged } from "./mark-damaged.ts";
import type { Damage, GenerationMark, Ports } from "./ports.ts";

/** What was put right, in sentences, and the generations that were found lost or unreadable now. */
export type Synced = { readonly repairs: readonly string[]; readonly damage: readonly Damage[] };

const GONE = "its directory is gone from the vault";
const UNBELIEVED = "its manifest cannot be believed: ";

/**
 * The catalogue's rows of a job after what lies in the vault. A generation is sealed before its row is written, rewritten before its row
 * follows, and its row is dropped before it is removed: the vault decides. One that is gone, or whose manifest cannot be believed, becomes
 * `damaged` in the catalogue alone, and is offered again when it is back. Without the host's key no manifest can be judged: then none is.
 */
export async function syncRows(ports: Ports, job: Job): Promise<Synced> {
  const { vault, catalogue } = ports;
  const sealed = await vault.sealed(job.name);
  const present = new Set(sealed);
  const rows = new Map((await catalogue.generations(job.name)).map((row) => [row.number, row]));
  const marks = await vault.readMarks(job.name);
  const [repairs, damage]: [string[], Damage[]] = [[], []];
  const lose = async (number: number, reason: string): Promise<void> => {
    await catalogue.markGeneration(job.name, number, { state: "damaged", reason });
    await tellDamaged(ports, job.name, number, reason);
    repairs.push(`marked point ${number} damaged: ${reason}`);
    damage.push({ number, file: ".", why: reason });
  };
  for (const number of await judged(ports, job, sealed)) {
    const row = rows.get(number);
    const found = await generationOf(
      vault,
      job.name,
      number,
      row ? { [number]: { ...saidIn(row), ...marks[String(number)] } } : marks,
    );
    if (row === undefined) {
      await catalogue.putGeneration(found);
      repairs.push(`listed point ${number}, which was sealed and not in the catalogue`);
      if (isUnread(found)) damage.push({ number, file: ".", why: found.reason });
    } else if (isUnread(found)) {
      if (row.state !== "damaged") await lose(number, `${UNBELIEVED}${found.reason}`);
    } else if (!isSame(row, found)) {
      await catalogue.putGeneration(found);
      repairs.push(`corrected the row of point ${number}: the vault says otherwise`);
    }
  }
  for (const row of rows.values()) {
    const { number, state } = row;
    if (present.has(number)) continue;
    if (isUnread(row)) {
      await catalogue.removeGeneration(job.name, number);
      repairs.push(`forgot point ${number}, which could never be read and is gone`);
    }
    if (state === "damaged" || state === "expired" || state === "consumed") continue;
    await lose(number, GONE);
  }
  return { repairs, damage };
}

/** Those whose manifests can be judged: all, or none without the key. */
async function judged({ vault }: Ports, job: Job, sealed: readonly number[]): Promise<readonly number[]> {
  const [first] = sealed;
  if (first === undefined) return [];
  try {
    await vault.manifest(job.name, first);
  } catch (error) {
    if (error instanceof Fault && error.code === "key-unusable") return [];
  }
  return sealed;
}

/** What the row says beyond the manifest; the marks in the vault, where they say anything, know better. */
function saidIn(row: Generation): GenerationMark {
  const { state, reason, provenAt, provenMilliseconds, held } = row;
  // What was found by reading it back is written in the vault too, and stays.
  const isOwnWord = state === "damaged" && (reason === GONE || reason.startsWith(UNBELIEVED) || isUnread(row));
  return { ...(state === "sealed" || isOwnWord ? {} : { state, reason }), provenAt, provenMilliseconds, held };
}

function isSame(row: Generation, found: Generation): boolean {
  return (
    found.state === row.state &&
    structureOf(found) === structureOf(row) &&
    found.held === row.held &&
    found.provenAt === row.provenAt
  );
}

function structureOf({ id, kind, parent, bytes, pages, unpackedBytes }: Generation): string {
  return JSON.stringify([id, kind, parent, bytes, pages.kept, unpackedBytes]);
}
