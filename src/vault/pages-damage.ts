import { Fault } from "../faults/fault.ts";
import { isErrno } from "./disk-fault.ts";

/** What an error that came up while a sealed file was read says of the file; `null` if it says nothing of it. */
export function damageOf(error: unknown): string | null {
  if (error instanceof Fault && error.code === "image-malformed") return error.message;
  if (isErrno(error, "ENOENT", "ENOTDIR")) return "it is missing";
  if (isErrno(error, "EISDIR")) return "it is a folder";
  // What a disk, or a file system that checks what it reads, says of bytes it cannot give back.
  if (isErrno(error, "EIO", "EBADMSG", "EUCLEAN", "EILSEQ")) return `it cannot be read: ${(error as Error).message}`;
  return null;
}
