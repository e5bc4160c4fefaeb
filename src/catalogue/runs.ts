import type { Selectable } from "kysely";
import type { JobName } from "../domain/job.ts";
import type { Ending, ProcessIdentity, Run } from "../domain/run.ts";
import type { Catalogue } from "../engine/ports.ts";
import type { Connection } from "./connection.ts";
import type { RunsTable } from "./schema.ts";
import { aboutJob } from "./translate.ts";

/** Runs, oldest first. Fault: `job-unknown` for a run of a job that is not there. */
export function runsIn(connection: Connection): Pick<Catalogue, "runs" | "newestRun" | "putRun"> {
  return {
    async runs(name) {
      return connection.all<Row>("select * from runs where job = ? order by number", name).map(runOf);
    },

    async newestRun(name) {
      const row = connection.first<Row>("select * from runs where job = ? order by number desc limit 1", name);
      return row ? runOf(row) : null;
    },

    async putRun(name, run) {
      aboutJob(name, () => connection.put("runs", runRow(name, run), ["job", "number"]));
    },
  };
}

type Row = Selectable<RunsTable>;

export function runRow(job: JobName, run: Run): Selectable<RunsTable> {
  return {
    job,
    number: run.number,
    timeline: run.timeline,
    started_at: run.startedAt,
    from_point: run.from,
    init_pid: run.init?.pid ?? null,
    init_start_ticks: run.init?.startTicks ?? null,
    init_boot_id: run.init?.bootId ?? null,
    root_pid: run.root.pid,
    root_start_ticks: run.root.startTicks,
    root_boot_id: run.root.bootId,
    root_vpid: run.rootVpid,
    ended_at: run.endedAt,
    ending_type: run.ending?.type ?? null,
    ending_value: run.ending && (run.ending.type === "exited" ? run.ending.status : run.ending.signal),
  };
}

function runOf(row: Selectable<RunsTable>): Run {
  return {
    number: row.number,
    timeline: row.timeline,
    startedAt: row.started_at,
    from: row.from_point,
    init: initOf(row),
    root: { pid: row.root_pid, startTicks: row.root_start_ticks, bootId: row.root_boot_id },
    rootVpid: row.root_vpid,
    endedAt: row.ended_at,
    ending: endingOf(row.ending_type, row.ending_value),
  };
}

function initOf(row: Selectable<RunsTable>): ProcessIdentity | null {
  const { init_pid: pid, init_start_ticks: startTicks, init_boot_id: bootId } = row;
  return pid === null || startTicks === null || bootId === null ? null : { pid, startTicks, bootId };
}

function endingOf(type: Ending["type"] | null, value: number | null): Ending | null {
  if (type === null || value === null) return null;
  return type === "exited" ? { type, status: value } : { type, signal: value };
}
