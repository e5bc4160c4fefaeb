import { z } from "zod";
import type { Beginning, Run } from "../domain/run.ts";
import type { DocumentKind } from "./document.ts";

export const identity = z.strictObject({ pid: z.int().positive(), startTicks: z.number(), bootId: z.string() });

const ending = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("exited"), status: z.int() }),
  z.strictObject({ type: z.literal("signaled"), signal: z.int() }),
]);

/** `run.json` */
export const runDocument: DocumentKind<Run> = {
  part: "run",
  schema: z.strictObject({
    number: z.int().positive(),
    timeline: z.int(),
    startedAt: z.number(),
    from: z.int().nullable(),
    init: identity.nullable(),
    root: identity,
    rootVpid: z.int().positive(),
    endedAt: z.number().nullable(),
    ending: ending.nullable(),
  }),
};

/** `begun.json` */
export const beginningDocument: DocumentKind<Beginning> = {
  part: "beginning",
  schema: z.strictObject({ from: z.int().positive(), at: z.number(), by: z.enum(["person", "service"]) }),
};
