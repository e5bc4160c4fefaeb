import { z } from "zod";
import type { Manifest } from "../domain/manifest.ts";
import { jobName, tracking } from "./job-document.ts";

const count = z.number().nonnegative();
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

const capturedFile = z.strictObject({
  path: z.string(),
  how: z.enum(["length", "copy", "left-out"]),
  why: z.string(),
  size: count,
  mode: z.int(),
  uid: z.int(),
  gid: z.int(),
  mtimeNs: z.string(),
  tailSha256: z.string(),
  stored: z.string().nullable(),
});

const neededFile = z.strictObject({
  path: z.string(),
  size: count,
  mtimeNs: z.string(),
  inode: z.string(),
  ctimeNs: z.string(),
  sha256: z.string(),
});

/** `holdfast.json` without its `mac`. */
export const manifestSchema: z.ZodType<Manifest> = z.strictObject({
  format: z.literal(1),
  job: jobName,
  number: z.int().positive(),
  id: z.string(),
  timeline: z.int(),
  run: z.int(),
  kind: z.enum(["base", "increment"]),
  parent: z.strictObject({ number: z.int().positive(), id: z.string() }).nullable(),
  takenAt: z.number(),
  sealedAt: z.number(),
  reason: z.string(),
  tracking,
  freezeMicros: count,
  slowdownMicros: count.exactOptional(),
  preDumps: z.array(z.strictObject({ pages: count, freezeMicros: count })).exactOptional(),
  pages: z.strictObject({ scanned: count, written: count, skipped: count, kept: count }),
  host: z.strictObject({ bootId: z.string(), kernel: z.string(), hostname: z.string(), criu: z.string() }),
  tree: z.strictObject({ rootVpid: z.int(), highestPid: z.int(), processes: z.int(), residentBytes: count }),
  restoreOptions: z.array(z.string()),
  findings: z.array(z.string()),
  capture: z.strictObject({
    files: z.array(capturedFile),
    folders: z.array(
      z.strictObject({ path: z.string(), mode: z.int(), uid: z.int(), gid: z.int(), fifo: z.literal(true).exactOptional() }),
    ),
    needed: z.array(neededFile),
  }),
  digests: z.record(z.string(), z.strictObject({ bytes: count, sha256 })),
  consumed: z.strictObject({ by: z.int().positive(), holeBytes: count }).exactOptional(),
  packed: z.strictObject({ bytes: count, sha256 }).exactOptional(),
});
