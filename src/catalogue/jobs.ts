import type { Selectable } from "kysely";
import { z } from "zod";
import type { Job, JobName } from "../domain/job.ts";
import type { Catalogue } from "../engine/ports.ts";
import type { Connection } from "./connection.ts";
import type { JobsTable } from "./schema.ts";
import { damaged } from "./translate.ts";

/** Jobs, by name. A row whose JSON does not fit is the fault `catalogue-damaged`. */
export function jobsIn(connection: Connection): Pick<Catalogue, "jobs" | "job" | "putJob" | "removeJob"> {
  /** Checking takes longer than reading, and most are what they were. */
  let checked = new Map<JobName, { readonly text: string; readonly settings: Settings }>();
  return {
    async jobs() {
      const before = checked;
      checked = new Map();
      return connection.all<Row>("select * from jobs order by name").map((row) => {
        const known = before.get(row.name);
        const settings = known?.text === row.settings ? known.settings : readSettings(row, connection.file);
        checked.set(row.name, { text: row.settings, settings });
        return jobWith(row, settings);
      });
    },

    async job(name) {
      const row = connection.first<Row>("select * from jobs where name = ?", name);
      return row ? jobWith(row, readSettings(row, connection.file)) : null;
    },

    async putJob(job) {
      connection.put("jobs", jobRow(job), ["name"]);
    },

    async removeJob(name) {
      connection.run("delete from jobs where name = ?", name);
    },
  };
}

type Row = Selectable<JobsTable>;
type Settings = Omit<Job, "name" | "createdAt" | "origin" | "intent">;

export function jobRow(job: Job): Selectable<JobsTable> {
  const { name, createdAt, origin, intent, ...rest } = job;
  const settings: z.input<typeof settingsSchema> = { ...rest, env: Object.entries(rest.env), limits: Object.entries(rest.limits) };
  return { name, created_at: createdAt, origin, intent, settings: JSON.stringify(settings) };
}

function jobWith(row: Row, settings: Settings): Job {
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
      z.object({ type: z.literal("auto") }),
    ])
    .nullable(),
  keep: z.string(),
  maxChain: z.number(),
  // Rows of version 0.1 do not say it.
  dedup: z.enum(["exact", "in-dump"]).default("exact"),
  preDump: z.enum(["off", "auto", "read", "splice"]).default("auto"),
  onCrash: z.enum(["restore", "ask"]).default("ask"),
  compress: z.enum(["off", "cold"]).exactOptional(),
  exposureLimit: z
    .union([z.number(), z.literal("auto")])
    .nullable()
    .default(null),
  files: z.object({ include: strings, exclude: strings, limitBytes: z.number() }),
}) satisfies z.ZodType<Settings>;
