import { sql, type Kysely } from "kysely";

/**
 * The interval that is planned for jobs whose schedule is `auto`, milliseconds; what packed generations take when they are unpacked; what is asked
 * often found without reading what has expired, of which there is most in the end.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  "alter table dues add column interval integer check (interval > 0)",
  // Bytes of a packed generation's files as they were.
  "alter table generations add column unpacked_bytes integer check (unpacked_bytes >= 0)",
  "create index generations_unexpired on generations (job, number) where state <> 'expired'",
  "create index attempts_missed on attempts (job, count) where outcome = 'missed'",
  "create index attempts_tried on attempts (job, at, id) where outcome <> 'missed'",
];
