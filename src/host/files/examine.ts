import { accessSync, constants, lstatSync, statSync, type BigIntStats } from "node:fs";
import { open } from "node:fs/promises";
import type { CapturedFile, CapturedFolder, NeededFile } from "../../domain/captured.ts";
import { Fault } from "../../faults/fault.ts";
import { digestRange, digestTail, withRegularFile } from "./digest.ts";
import { largestDigested } from "./settle.ts";
import { errnoOf } from "./translate.ts";

/** What is at a path now. `null`: nothing. Faults: `file-unrestorable` for anything but a regular file, links included. */
export function standingFile(path: string): BigIntStats | null {
  const stats = look(path);
  if (stats === null || stats.isFile()) return stats;
  const what = stats.isSymbolicLink() ? "a symbolic link" : stats.isDirectory() ? "a folder" : "not a regular file";
  throw unrestorable(path, `what is in its place is ${what}`, "move it away, then try again");
}

/** For `length` and `left-out`: why the first `size` bytes are not what they were; `null` if they are. Reads the tail only. */
export async function whyChanged(file: CapturedFile): Promise<string | null> {
  const stats = standingFile(file.path);
  if (stats === null) return "it is gone";
  if (file.tailSha256 === "") return `its content at that moment is not known (${file.why})`;
  if (stats.size < file.size) return `it has ${stats.size} bytes now, and had ${file.size} then`;
  const tail = await withRegularFile(file.path, async (handle) => digestTail(handle, file.size));
  return tail === file.tailSha256 ? null : `it was rewritten or rotated: the bytes before ${file.size} are other ones now`;
}

/** Why a file that is only read would not be the same to the job; `null` if it would. Same size and time is taken for the same. */
export async function whyOther(file: NeededFile): Promise<string | null> {
  const stats = statSync(file.path, { bigint: true, throwIfNoEntry: false });
  if (stats === undefined) return "it is gone";
  if (!stats.isFile()) return "it is not a regular file any more";
  if (Number(stats.size) !== file.size) return `it has ${stats.size} bytes now, and had ${file.size} then`;
  if (`${stats.mtimeNs}` === file.mtimeNs) return null;
  if (file.sha256 === "" || file.size > largestDigested) return "its time of change differs, and its content was not recorded";
  const handle = await open(file.path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    return (await digestRange(handle, 0, file.size)) === file.sha256 ? null : "its content is another";
  } finally {
    await handle.close();
  }
}

/**
 * A folder that the capture holds and that is there already: it must be a real folder, of the same owner or root. In a place where
 * anyone may write, somebody else's folder of that name would lead root's hand.
 */
export function checkFolder({ path, uid, fifo }: CapturedFolder): "absent" | "present" {
  const stats = look(path);
  if (stats === null) return "absent";
  if (fifo && !stats.isFIFO())
    throw unrestorable(path, "something else is where a named pipe should be", "move it away, then try again");
  if (!fifo && !stats.isDirectory())
    throw unrestorable(path, "a file or link is where a folder should be", "move it away, then try again");
  if (Number(stats.uid) !== uid && stats.uid !== 0n) {
    throw unrestorable(path, `it belongs to user ${stats.uid}, and to ${uid} then`, "move it away, then try again");
  }
  return "present";
}

/** The file can be written: neither it nor its folder is on a read-only filesystem or otherwise closed. */
export function checkWritable(path: string): void {
  try {
    accessSync(path, constants.W_OK);
  } catch (error) {
    const why = errnoOf(error) === "EROFS" ? "its filesystem is mounted read-only" : "access is denied";
    throw unrestorable(path, why, "make it writable, then try again");
  }
}

export function unrestorable(file: string, why: string, advice: string): Fault {
  return Fault.of("file-unrestorable", { file, why, advice });
}

function look(path: string): BigIntStats | null {
  return lstatSync(path, { bigint: true, throwIfNoEntry: false }) ?? null;
}
