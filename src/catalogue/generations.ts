import type { Selectable, Updateable } from "kysely";
import type { Generation } from "../domain/generation.ts";
import { restorePoints } from "../domain/restorable.ts";
import type { Catalogue, GenerationMark } from "../engine/ports.ts";
import type { Connection, Value } from "./connection.ts";
import type { GenerationsTable } from "./schema.ts";
import { aboutJob } from "./translate.ts";

/** Generations, oldest first. Fault: `job-unknown` for one of a job that is not there. */
export function generationsIn(
  connection: Connection,
): Pick<
  Catalogue,
  "generations" | "unexpired" | "generation" | "newestByRows" | "putGeneration" | "removeGeneration" | "markGeneration"
> {
  return {
    async generations(name) {
      return connection.all<Row>("select * from generations where job = ? order by number", name).map(generationOf);
    },

    async unexpired(name) {
      return connection.all<Row>(unexpired, name).map(generationOf);
    },

    async generation(name, number) {
      const row = connection.first<Row>("select * from generations where job = ? and number = ?", name, number);
      return row ? generationOf(row) : null;
    },

    async newestByRows(name) {
      const rows = connection.all<Row>(unexpired, name).map(generationOf);
      const newest = restorePoints(rows).at(-1);
      if (newest?.number === rows.findLast(({ state }) => state === "sealed")?.number) return newest ?? null;
      // The newest may stand on one that was withdrawn and not swept yet: then all rows tell.
      const all = connection.all<Row>("select * from generations where job = ? order by number", name);
      return restorePoints(all.map(generationOf)).at(-1) ?? null;
    },

    async putGeneration(generation) {
      aboutJob(generation.job, () => connection.put("generations", generationRow(generation), ["job", "number"]));
    },

    async removeGeneration(name, number) {
      connection.run("delete from generations where job = ? and number = ?", name, number);
    },

    async markGeneration(name, number, mark) {
      const change = markRow(mark);
      const names = Object.keys(change);
      if (names.length === 0) return;
      const sets = names.map((each) => `${each} = ?`).join(", ");
      const values = Object.values(change) as Value[];
      connection.run(`update generations set ${sets} where job = ? and number = ?`, ...values, name, number);
    },
  };
}

type Row = Selectable<GenerationsTable>;

/** SQLite knows of no statistics here, and would read all rows of the job by its key. */
export const unexpired =
  "select * from generations indexed by generations_unexpired where job = ? and state <> 'expired' order by number";

export function generationRow(generation: Generation): Selectable<GenerationsTable> {
  return {
    job: generation.job,
    number: generation.number,
    id: generation.id,
    timeline: generation.timeline,
    run: generation.run,
    kind: generation.kind,
    parent: generation.parent,
    taken_at: generation.takenAt,
    state: generation.state,
    reason: generation.reason,
    tracking: generation.tracking,
    bytes: generation.bytes,
    freeze_micros: generation.freezeMicros,
    pages_scanned: generation.pages.scanned,
    pages_written: generation.pages.written,
    pages_skipped: generation.pages.skipped,
    pages_kept: generation.pages.kept,
    proven_at: generation.provenAt,
    proven_milliseconds: generation.provenMilliseconds,
    held: generation.held ? 1 : 0,
    unpacked_bytes: generation.unpackedBytes ?? null,
  };
}

function generationOf(row: Selectable<GenerationsTable>): Generation {
  return {
    job: row.job,
    number: row.number,
    id: row.id,
    timeline: row.timeline,
    run: row.run,
    kind: row.kind,
    parent: row.parent,
    takenAt: row.taken_at,
    state: row.state,
    reason: row.reason,
    tracking: row.tracking,
    bytes: row.bytes,
    freezeMicros: row.freeze_micros,
    pages: { scanned: row.pages_scanned, written: row.pages_written, skipped: row.pages_skipped, kept: row.pages_kept },
    provenAt: row.proven_at,
    provenMilliseconds: row.proven_milliseconds,
    held: row.held === 1,
    ...(row.unpacked_bytes !== null && { unpackedBytes: row.unpacked_bytes }),
  };
}

/** Only what the mark speaks of. */
function markRow(mark: GenerationMark): Updateable<GenerationsTable> {
  return {
    ...(mark.state !== undefined && { state: mark.state }),
    ...(mark.reason !== undefined && { reason: mark.reason }),
    ...(mark.provenAt !== undefined && { proven_at: mark.provenAt }),
    ...(mark.provenMilliseconds !== undefined && { proven_milliseconds: mark.provenMilliseconds }),
    ...(mark.held !== undefined && { held: mark.held ? 1 : 0 }),
  };
}
