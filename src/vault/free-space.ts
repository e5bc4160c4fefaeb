import { statfs } from "node:fs/promises";
import path from "node:path";
import { isErrno } from "./disk-fault.ts";

/** Bytes an unprivileged writer could still write where `folder` is, or will be once it is made. */
export async function freeSpace(folder: string): Promise<number> {
  for (let at = folder; ; at = path.dirname(at)) {
    try {
      const found = await statfs(at);
      return found.bavail * found.bsize;
    } catch (error) {
      if (at === path.dirname(at) || !isErrno(error, "ENOENT", "ENOTDIR")) throw error;
    }
  }
}
