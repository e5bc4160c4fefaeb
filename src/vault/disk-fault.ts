import { Fault } from "../faults/fault.ts";

/** Where things lie, for the sentence a user reads. */
export type Places = { readonly vault: string; readonly staging: string | null };

/** What a failed write means to a user; anything that is not the system's error is passed on as it is. */
export function writeFault(error: unknown, what: string, places: Places): unknown {
  if (!isSystemError(error)) return error;
  switch (error.code) {
    case "ENOSPC":
    case "EDQUOT":
      return Fault.of("vault-full", { place: placeOf(error, places) }, { cause: error });
    case "EROFS":
    case "EACCES":
    case "EPERM":
    case "ENOTDIR":
      return Fault.of("vault-unwritable", { path: places.vault, why: error.message }, { cause: error });
    default:
      return Fault.of("io-failed", { what, why: error.message }, { cause: error });
  }
}

/** What a failed read means to a user. */
export function readFault(error: unknown, what: string): unknown {
  return isSystemError(error) ? Fault.of("io-failed", { what, why: error.message }, { cause: error }) : error;
}

/** Is it this answer of the system? For the ones a caller expects. */
export function isErrno(error: unknown, ...codes: readonly string[]): boolean {
  return isSystemError(error) && codes.includes(error.code);
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException & { code: string } {
  return error instanceof Error && "errno" in error && "code" in error && typeof error.code === "string";
}

function placeOf(error: NodeJS.ErrnoException, places: Places): string {
  return places.staging !== null && error.path?.startsWith(`${places.staging}/`) ? places.staging : places.vault;
}
