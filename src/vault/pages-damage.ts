import type { FileDigests } from "../domain/manifest.ts";
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

/** What is wrong with a file that was read, in words; `null`: nothing. */
export function difference(sealed: FileDigests[string], found: FileDigests[string]): string | null {
  if (found.bytes !== sealed.bytes) return `it has ${found.bytes} bytes, ${sealed.bytes} were sealed`;
  return found.sha256 === sealed.sha256 ? null : "its content is not what was sealed";
}
