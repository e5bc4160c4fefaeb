import { koffi } from "./koffi.ts";

/**
 * Swaps two names in one step, of files or of whole folders (renameat2(2) with RENAME_EXCHANGE): whoever looks finds one or the other
 * under each name, never neither. Through `syscall`, because not every C library has a wrapper. Throws the system's own error:
 * EINVAL where the file system cannot (NFS, Lustre), ENOSYS where the kernel or koffi cannot.
 */
export function exchangeNames(one: string, other: string): void {
  const number = renameat2[process.arch];
  const call = number === undefined ? null : syscall();
  if (number === undefined || call === null) throw failure("ENOSYS", 38, one, other);
  if (call(number, AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE) === 0) return;
  const errno = koffi().errno();
  throw failure(Object.entries(koffi().os.errno).find(([, value]) => value === errno)?.[0] ?? "EIO", errno, one, other);
}

/** The call's number by Node's name of the machine (asm/unistd.h); they have no common one. */
const renameat2: Readonly<Record<string, number>> = { x64: 316, arm64: 276, riscv64: 276, loong64: 276, ppc64: 357, s390x: 347 };
const AT_FDCWD = -100;
const RENAME_EXCHANGE = 2;

type Syscall = (number: number, from: number, one: string, to: number, other: string, flags: number) => number;

let loaded: Syscall | null | undefined;

function syscall(): Syscall | null {
  if (loaded === undefined) loaded = load();
  return loaded;
}

function load(): Syscall | null {
  try {
    return koffi().load(null).func("long syscall(long, long, const char *, long, const char *, long)") as Syscall;
  } catch {
    return null;
  }
}

function failure(code: string, errno: number, one: string, other: string): NodeJS.ErrnoException {
  const error = new Error(`${code}: exchange '${one}' with '${other}'`);
  return Object.assign(error, { code, errno: -errno, syscall: "renameat2", path: one, dest: other });
}
