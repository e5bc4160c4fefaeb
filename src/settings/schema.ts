import { z } from "zod";
import { parseDuration } from "../domain/duration.ts";
import { parsePolicy } from "../domain/policy.ts";
import { scheduleEvery } from "../domain/schedule.ts";
import { parseShare } from "../domain/share.ts";
import { parseSize } from "../domain/size.ts";
import { checkZone } from "../domain/time.ts";
import { parseSlice } from "../domain/verify-slice.ts";
import { Fault } from "../faults/fault.ts";

// What each value must be, in words that go on from "expected": the only text a user sees of a wrong one.
const folder = z.string().startsWith("/").describe("an absolute path, such as /var/lib/holdfast");
const folderOrNone = z.union([z.literal(""), folder]).describe('an absolute path, or "" for the default place inside the vault');
const duration = z.string().transform(through(parseDuration)).describe("a duration in quotes, such as 90s, 10m or 1h30m");
const length = z
  .string()
  .transform(through(parseDuration))
  .refine((milliseconds) => milliseconds >= 1000)
  .describe("a duration of 1s or more in quotes, such as 10m or 30d");
const size = z.string().transform(through(parseSize)).describe("a size in quotes, such as 512MiB or 20GiB");
const isInterval = through((text) => {
  scheduleEvery(text);
  return text;
});
const isPolicy = through((text) => {
  parsePolicy(text);
  return text;
});
const isExposureLimit = through((text) => {
  if (text !== "auto" && text !== "never") parseDuration(text);
  return text;
});
const command = z.array(z.string()).describe('a command as a list of words, such as ["/usr/local/bin/tell", "ops"], or []');
const isZone = through((text) => (text === "" ? text : checkZone(text)));

/**
 * The one schema of the settings: what `config/holdfast.toml` shows is what stands here, held by `test/law/settings.test.ts`. Keys are
 * spelled as in the file. Every key has a default, and a description that says what is expected of its value.
 */
export const schema = z.strictObject({
  catalogue: folderOrNone.default(""),
  staging: folderOrNone.default(""),
  zone: z.string().transform(isZone).describe('a time zone such as Europe/Berlin or UTC, or "" for the machine\'s').default(""),
  vault: section({
    path: folder.default("/var/lib/holdfast"),
    "min-free": size.default(0),
    key: folderOrNone.default(""),
  }),
  criu: section({
    path: z
      .union([z.literal("auto"), folder])
      .describe('"auto", or the absolute path of a criu program or of a prefix')
      .default("auto"),
    "prefix-root": folder.default("/var/cache/holdfast"),
  }),
  defaults: section({
    every: z
      .string()
      .transform(isInterval)
      .describe('a duration of 1s or more in quotes, such as 10m, or "auto", or "never"')
      .default("10m"),
    keep: z
      .string()
      .transform(isPolicy)
      .describe('rules such as "last=6, daily=7", or "all"')
      .default("last=6, within=2h, hourly=24, daily=7, weekly=4, monthly=3"),
    "max-chain": z.int().min(1).max(1000).describe("a whole number from 1 to 1000").default(24),
    dedup: z.enum(["exact", "in-dump"]).describe('"exact" or "in-dump"').default("exact"),
    "pre-dump": z.enum(["off", "auto", "read", "splice"]).describe('"off", "auto", "read" or "splice"').default("auto"),
    "on-crash": z.enum(["restore", "ask"]).describe('"restore" or "ask"').default("restore"),
    "exposure-limit": z
      .string()
      .transform(isExposureLimit)
      .describe('a duration in quotes, such as 1h, or "auto", or "never"')
      .default("auto"),
  }),
  interval: section({
    mtbf: length.default(30 * 86_400_000),
    "min-every": length.default(60_000),
    "max-every": length.default(6 * 3_600_000),
    "max-overhead": z.string().transform(through(parseShare)).describe('a share in quotes, such as "1%"').default(0.01),
  }),
  files: section({
    limit: size.default(2 ** 30),
    temporary: z.array(folder).describe("a list of absolute paths").default(["/dev/shm", "/run", "/tmp"]),
  }),
  limits: section({
    "dump-timeout": duration.default(600_000),
    "restore-timeout": duration.default(600_000),
    "stop-timeout": duration.default(60_000),
    "takes-at-once": z
      .union([z.literal("auto"), z.int().min(1).max(64)])
      .describe('"auto", or a whole number from 1 to 64')
      .default("auto"),
  }),
  verify: section({
    slice: z
      .string()
      .transform(through(parseSlice))
      .describe('a part of all points such as "1/7", or "0/1" for none')
      .default({ share: 1, of: 7 }),
  }),
  sweep: section({
    "max-rate": size.default(0),
  }),
  compress: section({
    mode: z.enum(["off", "cold"]).describe('"off" or "cold"').default("off"),
    after: duration.default(86_400_000),
  }),
  recover: section({
    parallel: z.int().min(1).max(64).describe("a whole number from 1 to 64").default(2),
    delay: duration.default(5_000),
    settle: duration.default(60_000),
    attempts: z.int().min(1).max(100).describe("a whole number from 1 to 100").default(5),
  }),
  drill: section({
    nightly: z.enum(["never", "newest"]).describe('"never" or "newest"').default("never"),
    resume: duration.default(5_000),
  }),
  service: section({
    "log-level": z.enum(["debug", "info", "warn", "error"]).describe("one of debug, info, warn, error").default("info"),
    "last-takes": z.enum(["never", "shutdown", "always"]).describe('"never", "shutdown" or "always"').default("shutdown"),
    "last-takes-deadline": duration.default(60_000),
  }),
  notices: section({
    took: command.default([]),
    missed: command.default([]),
    failed: command.default([]),
    crashed: command.default([]),
    restored: command.default([]),
    damaged: command.default([]),
    "exposure-over": command.default([]),
  }),
});

export type Document = z.output<typeof schema>;

function section<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  return z.strictObject(shape).prefault({} as never);
}

/** A parser of ours as a step of a schema: what it refuses with a fault is an issue here. */
function through<T>(parse: (text: string) => T): (text: string, context: z.RefinementCtx) => T {
  return (text, context) => {
    try {
      return parse(text);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      context.addIssue({ code: "custom", message: error.message });
      return z.NEVER;
    }
  };
}
