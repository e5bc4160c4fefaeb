import { closeSync, constants, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import koffi from "koffi";

export type ServiceLock =
  | { readonly held: true; release(): Promise<void> }
  /** Another process has it (`pid`: as it wrote down, `null` if it has not yet), or nobody can have it here (`why`). */
  | { readonly held: false; readonly pid: number | null }
  | { readonly held: false; readonly why: string };

/**
 * One service for one vault, whatever its catalogue: flock(2) on a file in the vault, by this process itself and not by a helper, which
 * a Ctrl-C or systemd's SIGTERM to all of the unit would end first. The kernel lets go when the process ends, however it ends. The file is never
 * deleted: a lock is on the inode. Its name begins with a dot, as no job's does, whose dump locks lie in the same folder.
 * Where the file system knows no flock (Lustre without `-o flock`) the answer says so.
 */
export async function lockService(vault: string): Promise<ServiceLock> {
  const folder = path.join(vault, "locks");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  // A plain descriptor: a FileHandle that nobody holds is closed when memory is collected, and the lock with it.
  const fd = openSync(path.join(folder, ".service.lock"), constants.O_RDWR | constants.O_CREAT, 0o600);
  try {
    const problem = flock(fd, LOCK_EX | LOCK_NB);
    if (problem === null) {
      ftruncateSync(fd, 0);
      writeSync(fd, `${process.pid}\n`, 0);
      return { held: true, release: async () => closeSync(fd) };
    }
    const written = Number.parseInt(readFileSync(fd, "utf8").trim(), 10);
    closeSync(fd);
    return problem === "EAGAIN" ? { held: false, pid: written > 0 ? written : null } : { held: false, why: problem };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

const LOCK_EX = 2;
const LOCK_NB = 4;

type Flock = (fd: number, operation: number) => number;

let loaded: Flock | undefined;

/** `null`: held now; else the name of the system's error. */
function flock(fd: number, operation: number): string | null {
  loaded ??= koffi.load(null).func("int flock(int, int)") as Flock;
  if (loaded(fd, operation) === 0) return null;
  const errno = koffi.errno();
  // EWOULDBLOCK is the same number, and which name comes first is chance.
  if (errno === koffi.os.errno["EAGAIN"]) return "EAGAIN";
  return Object.entries(koffi.os.errno).find(([, value]) => value === errno)?.[0] ?? `error ${errno}`;
}
