import { constants } from "node:fs";
import { open } from "node:fs/promises";
import koffi from "koffi";
import type { CapturedFolder } from "../../domain/captured.ts";

const libc = koffi.load(null);
const mkfifo = libc.func("int mkfifo(const char *path, unsigned int mode)") as (path: string, mode: number) => number;

/**
 * Makes a named pipe at `path` (mkfifo(3), which Node lacks) with owner and mode. It is opened for both ends, which never waits on Linux
 * (fifo(7)), so that owner and mode go to the pipe just made and to nothing that somebody may have put in its place.
 */
export async function makeFifo(path: string, { mode, uid, gid }: CapturedFolder): Promise<void> {
  if (mkfifo(path, 0o600) !== 0) {
    const code = koffi.errno() === koffi.os.errno["EEXIST"] ? "EEXIST" : "EIO";
    throw Object.assign(new Error(`mkfifo failed (errno ${koffi.errno()})`), { code });
  }
  const handle = await open(path, constants.O_RDWR | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  try {
    if (!(await handle.stat()).isFIFO()) throw Object.assign(new Error(`${path} changed hands`), { code: "ESTALE" });
    await handle.chown(uid, gid);
    await handle.chmod(mode);
  } finally {
    await handle.close();
  }
}
