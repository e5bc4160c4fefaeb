import { z } from "zod";
import type { Job } from "../domain/job.ts";
import type { Head, Marks } from "../engine/ports.ts";
import type { DocumentKind } from "./document.ts";
import { isJobFolder } from "./paths.ts";
import { identity } from "./run-document.ts";

const schedule = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("every"), milliseconds: z.number().positive() }),
  z.strictObject({ type: z.literal("cron"), expression: z.string(), zone: z.string() }),
  z.strictObject({ type: z.literal("auto") }),
]);

export const jobName = z.custom<Job["name"]>((value) => typeof value === "string" && isJobFolder(value), "not a job's name");
export const tracking = z.enum(["soft-dirty", "compare"]);

/** `job.json` */
export const jobDocument: DocumentKind<Job> = {
  part: "job",
  schema: z.strictObject({
    name: jobName,
    createdAt: z.number(),
    origin: z.enum(["launched", "adopted"]),
    command: z.array(z.string()),
    cwd: z.string(),
    env: z.record(z.string(), z.string()),
    user: z.string().nullable(),
    limits: z.record(z.string(), z.string()),
    output: z.string().nullable(),
    error: z.string().nullable(),
    schedule: schedule.nullable(),
    keep: z.string(),
    maxChain: z.int().positive(),
    // Jobs of version 0.1 do not say it.
    dedup: z.enum(["exact", "in-dump"]).default("exact"),
    preDump: z.enum(["off", "auto", "read", "splice"]).default("auto"),
    onCrash: z.enum(["restore", "ask"]).default("ask"),
    compress: z.enum(["off", "cold"]).exactOptional(),
    exposureLimit: z
      .union([z.number(), z.literal("auto")])
      .nullable()
      .default(null),
    files: z.strictObject({ include: z.array(z.string()), exclude: z.array(z.string()), limitBytes: z.number().nonnegative() }),
    intent: z.enum(["run", "stopped", "retired"]),
  }),
};

/** `head.json` */
export const headDocument: DocumentKind<Head> = {
  part: "head",
  schema: z.strictObject({
    lastNumber: z.int().nonnegative(),
    bits: z.discriminatedUnion("type", [
      z.strictObject({ type: z.literal("unknown"), why: z.string() }),
      z.strictObject({
        type: z.literal("known"),
        generation: z.int().positive(),
        id: z.string(),
        root: identity,
        run: z.int(),
        criu: z.string(),
        tracking,
      }),
    ]),
  }),
};

/** `marks.json`: the keys are generations' numbers. */
export const marksDocument: DocumentKind<Marks> = {
  part: "marks",
  schema: z.record(
    z.string(),
    z.strictObject({
      state: z.enum(["sealed", "damaged", "failed", "expired", "consumed"]).exactOptional(),
      reason: z.string().exactOptional(),
      provenAt: z.number().nullable().exactOptional(),
      provenMilliseconds: z.number().nullable().exactOptional(),
      note: z.string().exactOptional(),
      held: z.boolean().exactOptional(),
    }),
  ),
};
