import type { ZodType } from "zod";
import type { z } from "zod";
import { Fault } from "../faults/fault.ts";
import { type Random, writeAtomically } from "./atomic.ts";
import type { Disk } from "./disk.ts";
import { isErrno } from "./disk-fault.ts";

/** A small file of the vault: `{ "format": 1, "<part>": … }`. */
export type DocumentKind<T> = { readonly part: string; readonly schema: ZodType<T> };

const FORMAT = 1;

/** `null`: there is no such file. Faults: `vault-file-damaged`, `vault-newer`. */
export async function readDocument<T>(disk: Disk, file: string, kind: DocumentKind<T>): Promise<T | null> {
  const bytes = await disk.read(file).catch((error: unknown) => {
    if (isErrno(error, "ENOENT")) return null;
    throw error;
  });
  return bytes === null ? null : checked(parseFile(bytes, file), file, kind);
}

/** Whole or not at all; durable when it resolves. Content that could not be read back is a bug, and is not written. */
export async function writeDocument<T>(disk: Disk, file: string, kind: DocumentKind<T>, content: T, random: Random): Promise<void> {
  await writeAtomically(disk, file, documentBytes(kind, content), random);
}

export function documentBytes<T>(kind: DocumentKind<T>, content: T): Buffer {
  return Buffer.from(`${JSON.stringify({ format: FORMAT, [kind.part]: kind.schema.parse(content) }, null, 2)}\n`);
}

/** The JSON object in a file. Faults: `vault-file-damaged`; `vault-newer` for a format this program does not know. */
export function parseFile(bytes: Buffer, file: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString("utf8"));
  } catch (cause) {
    throw damaged(file, bytes.length === 0 ? "it is empty" : "it is not whole JSON", cause);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw damaged(file, "it holds no JSON object");
  const object = value as Record<string, unknown>;
  if (typeof object["format"] === "number" && object["format"] > FORMAT) {
    throw Fault.of("vault-newer", { what: file, found: object["format"], known: FORMAT });
  }
  if (object["format"] !== FORMAT) throw damaged(file, `its format is ${JSON.stringify(object["format"]) ?? "missing"}`);
  return object;
}

export function damaged(file: string, why: string, cause?: unknown): Fault {
  return Fault.of("vault-file-damaged", { file, why }, cause === undefined ? {} : { cause });
}

/** The first complaint of zod, on one line. */
export function complaint(error: z.ZodError): string {
  const first = error.issues[0];
  return first === undefined ? "it does not fit" : `${first.path.join(".") || "content"}: ${first.message}`;
}

function checked<T>(object: Record<string, unknown>, file: string, kind: DocumentKind<T>): T {
  const extra = Object.keys(object).find((key) => key !== "format" && key !== kind.part);
  if (extra !== undefined) throw damaged(file, `${extra}: not known`);
  const result = kind.schema.safeParse(object[kind.part]);
  if (!result.success) throw damaged(file, complaint(result.error), result.error);
  return result.data;
}
