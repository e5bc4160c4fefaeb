import type { Kysely, Selectable } from "kysely";
import { z } from "zod";
import type { Job } from "../domain/job.ts";
import type { Catalogue } from "../engine/ports.ts";
import type { DB, JobsTable } from "./schema.ts";
import { damaged } from "./translate.ts";

/** Jobs, by name. `file` is for the fault: a row whose JSON does not fit is `catalogue-damaged`. */
export function jobsIn(db: Kysely<DB>, file: string): Pick<Catalogue, "jobs" | "job" | "putJob" | "removeJob"> {
  return {
    async jobs() {
      const rows = await db.selectFrom("jobs").selectAll().orderBy("name").execute();
      return rows.map((row) => jobOf(row, file));
    },

    async job(name) {
      const row = await db.selectFrom("jobs").selectAll().where("name", "=", name).executeTakeFirst();
      return row ? jobOf(row, file) : null;
    },

    async putJob(job) {
      const { name, ...rest } = jobRow(job);
      // Not `replace`: that deletes the row first, and with it, by the foreign keys, all that is known of the job.
      await db
        .insertInto("jobs")
        .values({ name, ...rest })
        .onConflict((conflict) => conflict.column("name").doUpdateSet(rest))
        .execute();
    },

    async removeJob(name) {
      await db.deleteFrom("jobs").where("name", "=", name).execute();
    },
  };
}

type Settings = Omit<Job, "name" | "createdAt" | "origin" | "intent">;

export function jobRow(job: Job): Selectable<JobsTable> {
  const { name, createdAt, origin, intent, ...rest } = job;
  const settings: z.input<typeof settingsSchema> = { ...rest, env: Object.entries(rest.env), limits: Object.entries(rest.limits) };
  return { name, created_at: createdAt, origin, intent, settings: JSON.stringify(settings) };
}

function jobOf(row: Selectable<JobsTable>, file: string): Job {
  const settings = readSettings(row, file);
  return { name: row.name, createdAt: row.created_at, origin: row.origin, intent: row.intent, ...settings };
}

function readSettings(row: Selectable<JobsTable>, file: string): Settings {
  try {
    return settingsSchema.parse(JSON.parse(row.settings));
  } catch (error) {
    const why = error instanceof z.ZodError ? z.prettifyError(error) : String(error);
    throw damaged(file, `the settings of job ${row.name} do not fit: ${why}`, error);
  }
}

// Names a user chose are kept as pairs: as an object's keys, `__proto__` would be lost.
const pairs = z
  .array(z.tuple([z.string(), z.string()]))
  .readonly()
  .transform((entries): Readonly<Record<string, string>> => Object.fromEntries(entries));

const strings = z.array(z.string()).readonly();

const settingsSchema = z.object({
  command: strings,
  cwd: z.string(),
  env: pairs,
  user: z.string().nullable(),
  limits: pairs,
  output: z.string().nullable(),
  error: z.string().nullable(),
  schedule: z
    .discriminatedUnion("type", [
      z.object({ type: z.literal("every"), milliseconds: z.number() }),
      z.object({ type: z.literal("cron"), expression: z.string(), zone: z.string() }),
    ])
    .nullable(),
  keep: z.string(),
  maxChain: z.number(),
  // Rows of version 0.1 do not say it.
  dedup: z.enum(["exact", "in-dump"]).default("exact"),
  onCrash: z.enum(["restore", "ask"]).default("ask"),
  exposureLimit: z.number().nullable().default(null),
  files: z.object({ include: strings, exclude: strings, limitBytes: z.number() }),
}) satisfies z.ZodType<Settings>;
