import { rm, writeFile } from "node:fs/promises";
import path from "node:path";
import type { DumpRequest } from "../engine/ports.ts";
import { Fault } from "../faults/fault.ts";
import { isFull } from "./log-table.ts";

/** About what CRIU needs for its small images and its log. */
const trial = Buffer.alloc(128 * 1024);

/**
 * The folder that had no room for a dump that failed; `null`: that was not it. Where the log lies on the full disk too, the line that says so is often
 * the very one that could not be written: then the disk is asked, while all that CRIU wrote still lies there. It is asked by writing: what
 * `statfs` calls free is not all to be had, and of what it keeps for root CRIU has its share.
 */
export async function fullPlace({ images, log }: Pick<DumpRequest, "images" | "log">, troubles: string): Promise<string | null> {
  if (isFull(troubles) || (await hasNoRoom(path.join(images, ".room")))) return images;
  return (await hasNoRoom(`${log}.room`)) ? path.dirname(log) : null;
}

/** A failed write as `vault-full`, where that is what the system said; else the other fault. */
export function fullOr(error: unknown, other: Fault): Fault {
  if (!isOutOfRoom(error)) return other;
  return Fault.of("vault-full", { place: path.dirname(error.path ?? "/") }, { cause: error });
}

async function hasNoRoom(file: string): Promise<boolean> {
  try {
    await writeFile(file, trial, { mode: 0o600 });
    return false;
  } catch (error) {
    return isOutOfRoom(error);
  } finally {
    await rm(file, { force: true });
  }
}

function isOutOfRoom(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "code" in error && (error.code === "ENOSPC" || error.code === "EDQUOT");
}
