import { statfsSync } from "node:fs";
import { dirname } from "node:path";
import { Fault } from "../../faults/fault.ts";

/** The name of a failed system call's error, `ENOENT`; `null` for anything else that was thrown. */
export function errnoOf(error: unknown): string | null {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : null;
}

/** What went wrong with one of the job's own files, as `space-short`, `file-unrestorable` or `io-failed`. Bugs pass through. */
export function targetFault(error: unknown, file: string, bytes: number): unknown {
  const errno = errnoOf(error);
  if (error instanceof Fault || errno === null) return error;
  const cause = { cause: error };
  if (isFull(errno)) {
    const place = dirname(file);
    return Fault.of("space-short", { place, free: `${freeBytes(place)} bytes`, needed: `${bytes} bytes` }, cause);
  }
  const refusal = refusals[errno];
  if (refusal !== undefined) return Fault.of("file-unrestorable", { file, ...refusal }, cause);
  return Fault.of("io-failed", { what: `putting back ${file}`, why: errno }, cause);
}

/** What went wrong in a folder of the vault (a generation's, or an undo folder). Bugs pass through. */
export function vaultFault(error: unknown, folder: string): unknown {
  const errno = errnoOf(error);
  if (error instanceof Fault || errno === null) return error;
  const cause = { cause: error };
  if (isFull(errno)) return Fault.of("vault-full", { place: folder }, cause);
  if (errno === "EROFS" || errno === "EACCES" || errno === "EPERM") {
    return Fault.of("vault-unwritable", { path: folder, why: errno }, cause);
  }
  return Fault.of("io-failed", { what: `writing in ${folder}`, why: errno }, cause);
}

export function isFull(errno: string | null): boolean {
  return errno === "ENOSPC" || errno === "EDQUOT";
}

function freeBytes(place: string): number {
  try {
    const { bavail, bsize } = statfsSync(place);
    return bavail * bsize;
  } catch {
    return 0;
  }
}

const refusals: Readonly<Record<string, { readonly why: string; readonly advice: string }>> = {
  EROFS: { why: "its filesystem is mounted read-only", advice: "mount it for writing, then try again" },
  EACCES: { why: "access is denied", advice: "make it writable for root, then try again" },
  EPERM: { why: "the change is not permitted", advice: "look at `lsattr` and the mount's options, then try again" },
  ETXTBSY: { why: "it is being executed", advice: "end the program that runs from it, then try again" },
  ELOOP: { why: "a symbolic link is in its place", advice: "move the link away, then try again" },
  ENOENT: { why: "its folder is missing", advice: "make that folder again, then try again" },
  ENOTDIR: { why: "a file is where its folder should be", advice: "make that folder again, then try again" },
  EISDIR: { why: "a folder is in its place", advice: "move that folder away, then try again" },
};
