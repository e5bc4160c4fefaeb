import { readdirSync, readFileSync, readlinkSync, statSync, type BigIntStats } from "node:fs";

/**
 * The text of a file in `/proc`; `null` if there is none, or its process is gone. Read at once and synchronously: inside a
 * freeze every wait for the event loop is time the job stands still.
 */
export function readKernelFile(path: string): string | null {
  return unlessGone(() => readFileSync(path, "utf8"));
}

/** Where a link in `/proc` leads, as text. */
export function readKernelLink(path: string): string | null {
  return unlessGone(() => readlinkSync(path));
}

/** The entries of a folder in `/proc` that are numbers, ascending; none if it is gone. */
export function numbersIn(folder: string): readonly number[] {
  const names = unlessGone(() => readdirSync(folder)) ?? [];
  const numbers = names.filter((name) => /^\d+$/.test(name)).map(Number);
  return numbers.toSorted((one, other) => one - other);
}

/** What a path, or a link in `/proc`, refers to. */
export function statKernelLink(path: string): BigIntStats | null {
  return unlessGone(() => statSync(path, { bigint: true }));
}

/** `major:minor:inode`, as `/proc/PID/maps` writes it: major and minor in hex. (makedev(3): how a dev_t is packed.) */
export function inodeText(dev: bigint, inode: bigint): string {
  const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & 0xffff_f000n);
  const minor = (dev & 0xffn) | ((dev >> 12n) & 0xffff_ff00n);
  return `${hex(major)}:${hex(minor)}:${inode}`;
}

function hex(number: bigint): string {
  return number.toString(16).padStart(2, "0");
}

/** A process may end between two reads; a folder one may not look into tells nothing either. */
function unlessGone<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (["ENOENT", "ESRCH", "EACCES", "EPERM", "EINVAL", "ENXIO"].includes((error as NodeJS.ErrnoException).code ?? ""))
      return null;
    throw error;
  }
}
