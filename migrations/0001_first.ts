import { sql, type Kysely } from "kysely";

/**
 * The first shape of the catalogue; `docs/reference/catalogue.md` explains each column.
 * Moments are milliseconds since the epoch. Never edited once released: a change is a further migration.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  // "Hold": tells our file from another program's database.
  "pragma application_id = 0x486f6c64",

  `create table jobs (
    name text not null primary key check (length(name) between 1 and 64),
    created_at integer not null,
    origin text not null check (origin in ('launched', 'adopted')),
    intent text not null check (intent in ('run', 'stopped', 'retired')),
    settings text not null check (json_valid(settings))
  ) strict, without rowid`,

  `create table runs (
    job text not null references jobs (name) on delete cascade,
    number integer not null check (number >= 0),
    timeline integer not null check (timeline >= 0),
    started_at integer not null,
    from_point integer,
    init_pid integer,
    init_start_ticks integer,
    init_boot_id text,
    root_pid integer not null,
    root_start_ticks integer not null,
    root_boot_id text not null,
    root_vpid integer not null,
    ended_at integer,
    ending_type text check (ending_type in ('exited', 'signaled')),
    ending_value integer,
    primary key (job, number),
    check ((init_pid is null) = (init_start_ticks is null) and (init_pid is null) = (init_boot_id is null)),
    check ((ending_type is null) = (ending_value is null))
  ) strict, without rowid`,

  `create table generations (
    job text not null references jobs (name) on delete cascade,
    number integer not null check (number >= 0),
    id text not null,
    timeline integer not null check (timeline >= 0),
    run integer not null check (run >= 0),
    kind text not null check (kind in ('base', 'increment')),
    parent integer,
    taken_at integer not null,
    state text not null check (state in ('sealed', 'damaged', 'failed', 'expired')),
    reason text not null,
    tracking text not null check (tracking in ('soft-dirty', 'compare')),
    bytes integer not null check (bytes >= 0),
    freeze_micros integer not null check (freeze_micros >= 0),
    pages_scanned integer not null check (pages_scanned >= 0),
    pages_written integer not null check (pages_written >= 0),
    pages_skipped integer not null check (pages_skipped >= 0),
    pages_kept integer not null check (pages_kept >= 0),
    proven_at integer,
    held integer not null check (held in (0, 1)),
    primary key (job, number),
    check ((kind = 'base') = (parent is null)),
    check (parent is null or parent < number)
  ) strict, without rowid`,
  "create index generations_by_time on generations (job, taken_at)",

  `create table attempts (
    id integer not null primary key,
    job text not null references jobs (name) on delete cascade,
    at integer not null,
    outcome text not null check (outcome in ('took', 'failed', 'missed')),
    point integer,
    code text,
    message text not null
  ) strict`,
  "create index attempts_by_time on attempts (job, at, id)",

  `create table dues (
    job text not null primary key references jobs (name) on delete cascade,
    due integer not null,
    last_attempt_at integer
  ) strict, without rowid`,
  "create index dues_by_time on dues (due)",

  `create table leases (
    name text not null primary key,
    token text not null,
    owner_pid integer not null,
    owner_start_ticks integer not null,
    owner_boot_id text not null,
    verb text not null,
    expires_at integer not null
  ) strict, without rowid`,
];
