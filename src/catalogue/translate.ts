import path from "node:path";
import type { JobName } from "../domain/job.ts";
import { Fault } from "../faults/fault.ts";

/**
 * The one place where SQLite's and the filesystem's errors become faults; what is not known here is a bug and stays as it is.
 * Faults: `catalogue-busy`, `catalogue-damaged`, `vault-full`, `vault-unwritable`, `io-failed`.
 * Source: https://sqlite.org/rescode.html, by primary code (`SQLITE_IOERR` for `SQLITE_IOERR_WRITE`); errno(3).
 */
export function translated(error: unknown, file: string): unknown {
  if (error instanceof Fault || !(error instanceof Error)) return error;
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  const why = error.message;
  switch (code === "SQLITE_IOERR_SHMSIZE" ? code : (/^SQLITE_[A-Z]+/.exec(code)?.[0] ?? code)) {
    case "SQLITE_BUSY":
    case "SQLITE_LOCKED":
    case "SQLITE_PROTOCOL":
      return Fault.of("catalogue-busy", { file }, { cause: error });
    case "SQLITE_CORRUPT":
    case "SQLITE_NOTADB":
    case "SQLITE_FORMAT":
      return damaged(file, why, error);
    case "SQLITE_FULL":
    case "SQLITE_IOERR_SHMSIZE": // The -shm file could not grow: there is no room for it.
    case "ENOSPC":
    case "EDQUOT":
      return Fault.of("vault-full", { place: path.dirname(file) }, { cause: error });
    case "SQLITE_READONLY":
    case "SQLITE_CANTOPEN":
    case "SQLITE_PERM":
    case "SQLITE_AUTH":
    case "EACCES":
    case "EPERM":
    case "EROFS":
    case "EISDIR":
    case "ENOTDIR":
    case "ENOENT":
    case "EEXIST": // A folder of its path is a file.
      return Fault.of("vault-unwritable", { path: file, why }, { cause: error });
    case "SQLITE_IOERR":
    case "EIO":
    case "EMFILE":
    case "ENFILE":
    case "ELOOP":
    case "ENAMETOOLONG":
      return Fault.of("io-failed", { what: `reading or writing the catalogue ${file}`, why }, { cause: error });
    case "SQLITE_ERROR": // Anything wrong with a statement, our bug; but also a scribbled header, by this text alone.
      return why === "unsupported file format" ? damaged(file, why, error) : error;
    default:
      return error;
  }
}

/** The fault for a file whose content cannot be what this program wrote. */
export function damaged(file: string, why: string, cause?: unknown): Fault {
  return Fault.of("catalogue-damaged", { file, why }, { cause });
}

/** A row about a job that is not there (any more): Fault `job-unknown`. */
export function aboutJob<T>(job: JobName, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "SQLITE_CONSTRAINT_FOREIGNKEY")) throw error;
    throw Fault.of("job-unknown", { job }, { cause: error });
  }
}
