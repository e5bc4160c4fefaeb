import { sql, type Kysely } from "kysely";

/** What was done after crashes; how long a proof took; generations that `--auto-dedup` has consumed; leases that somebody else waits for. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  `create table recoveries (
    id integer not null primary key,
    job text not null references jobs (name) on delete cascade,
    at integer not null,
    point integer,
    outcome text not null check (outcome in ('restored', 'failed')),
    code text,
    message text not null,
    lost_milliseconds integer,
    milliseconds integer not null
  ) strict`,
  "create index recoveries_by_time on recoveries (job, at, id)",

  "alter table leases add column wanted integer not null default 0 check (wanted in (0, 1))",

  // SQLite cannot widen a CHECK: the table is made anew.
  `create table generations_new (
    job text not null references jobs (name) on delete cascade,
    number integer not null check (number >= 0),
    id text not null,
    timeline integer not null check (timeline >= 0),
    run integer not null check (run >= 0),
    kind text not null check (kind in ('base', 'increment')),
    parent integer,
    taken_at integer not null,
    state text not null check (state in ('sealed', 'damaged', 'failed', 'expired', 'consumed')),
    reason text not null,
    tracking text not null check (tracking in ('soft-dirty', 'compare')),
    bytes integer not null check (bytes >= 0),
    freeze_micros integer not null check (freeze_micros >= 0),
    pages_scanned integer not null check (pages_scanned >= 0),
    pages_written integer not null check (pages_written >= 0),
    pages_skipped integer not null check (pages_skipped >= 0),
    pages_kept integer not null check (pages_kept >= 0),
    proven_at integer,
    proven_milliseconds integer,
    held integer not null check (held in (0, 1)),
    primary key (job, number),
    check ((kind = 'base') = (parent is null)),
    check (parent is null or parent < number)
  ) strict, without rowid`,
  `insert into generations_new
    select job, number, id, timeline, run, kind, parent, taken_at, state, reason, tracking, bytes, freeze_micros,
      pages_scanned, pages_written, pages_skipped, pages_kept, proven_at, null, held
    from generations`,
  "drop table generations",
  "alter table generations_new rename to generations",
  "create index generations_by_time on generations (job, taken_at)",
];
