import type { ColumnType, Generated } from "kysely";
import type { Generation, GenerationState } from "../domain/generation.ts";
import type { Job, JobName, Tracking } from "../domain/job.ts";
import type { Ending } from "../domain/run.ts";
import type { Attempt, Recovery } from "../engine/ports.ts";

/**
 * The tables as the newest migration leaves them; `docs/reference/catalogue.md` explains them.
 * A test holds this against `pragma table_info`. What is a union here is a CHECK there.
 */
export interface DB {
  jobs: JobsTable;
  runs: RunsTable;
  generations: GenerationsTable;
  attempts: AttemptsTable;
  recoveries: RecoveriesTable;
  dues: DuesTable;
  leases: LeasesTable;
}

export interface JobsTable {
  name: JobName;
  created_at: number;
  origin: Job["origin"];
  intent: Job["intent"];
  /** JSON: the rest of the job, see `jobs.ts`. */
  settings: string;
}

export interface RunsTable {
  job: JobName;
  number: number;
  timeline: number;
  started_at: number;
  from_point: number | null;
  init_pid: number | null;
  init_start_ticks: number | null;
  init_boot_id: string | null;
  root_pid: number;
  root_start_ticks: number;
  root_boot_id: string;
  root_vpid: number;
  ended_at: number | null;
  ending_type: Ending["type"] | null;
  /** The exit status or the signal's number. */
  ending_value: number | null;
}

export interface GenerationsTable {
  job: JobName;
  number: number;
  id: string;
  timeline: number;
  run: number;
  kind: Generation["kind"];
  parent: number | null;
  taken_at: number;
  state: GenerationState;
  reason: string;
  tracking: Tracking;
  bytes: number;
  freeze_micros: number;
  pages_scanned: number;
  pages_written: number;
  pages_skipped: number;
  pages_kept: number;
  proven_at: number | null;
  proven_milliseconds: number | null;
  held: ColumnType<0 | 1>;
  unpacked_bytes: number | null;
}

export interface AttemptsTable {
  /** Rises with every attempt: tells the order of two at the same millisecond. */
  id: Generated<number>;
  job: JobName;
  at: number;
  outcome: Attempt["outcome"];
  point: number | null;
  code: string | null;
  message: string;
  count: number;
}

export interface RecoveriesTable {
  id: Generated<number>;
  job: JobName;
  at: number;
  point: number | null;
  outcome: Recovery["outcome"];
  code: string | null;
  message: string;
  lost_milliseconds: number | null;
  milliseconds: number;
}

export interface DuesTable {
  job: JobName;
  due: number;
  last_attempt_at: number | null;
  interval: number | null;
}

export interface LeasesTable {
  name: string;
  token: string;
  owner_pid: number;
  owner_start_ticks: number;
  owner_boot_id: string;
  verb: string;
  expires_at: number;
  /** 1: somebody was refused it. */
  wanted: ColumnType<0 | 1>;
}

/** Every column this program reads or writes; a file that lacks one of them is not the catalogue it says it is. */
export const columns: { readonly [T in keyof DB]: Readonly<Record<keyof DB[T], true>> } = {
  jobs: { name: true, created_at: true, origin: true, intent: true, settings: true },
  runs: {
    job: true,
    number: true,
    timeline: true,
    started_at: true,
    from_point: true,
    init_pid: true,
    init_start_ticks: true,
    init_boot_id: true,
    root_pid: true,
    root_start_ticks: true,
    root_boot_id: true,
    root_vpid: true,
    ended_at: true,
    ending_type: true,
    ending_value: true,
  },
  generations: {
    job: true,
    number: true,
    id: true,
    timeline: true,
    run: true,
    kind: true,
    parent: true,
    taken_at: true,
    state: true,
    reason: true,
    tracking: true,
    bytes: true,
    freeze_micros: true,
    pages_scanned: true,
    pages_written: true,
    pages_skipped: true,
    pages_kept: true,
    proven_at: true,
    proven_milliseconds: true,
    held: true,
    unpacked_bytes: true,
  },
  attempts: { id: true, job: true, at: true, outcome: true, point: true, code: true, message: true, count: true },
  recoveries: {
    id: true,
    job: true,
    at: true,
    point: true,
    outcome: true,
    code: true,
    message: true,
    lost_milliseconds: true,
    milliseconds: true,
  },
  dues: { job: true, due: true, last_attempt_at: true, interval: true },
  leases: {
    name: true,
    token: true,
    owner_pid: true,
    owner_start_ticks: true,
    owner_boot_id: true,
    verb: true,
    expires_at: true,
    wanted: true,
  },
};
