import { access, mkdir } from "node:fs/promises";
import path from "node:path";
import { Fault } from "../faults/fault.ts";
import { lockedStatus } from "./arguments.ts";
import { run } from "./run.ts";

/** The lock file of a job. It is never deleted: a lock is on the inode, and a new file would be a second lock. */
export function lockFile(lockFolder: string, job: string): string {
  return path.join(lockFolder, `${job}.lock`);
}

/** Makes the folder of the lock files, root's alone. */
export async function makeLockFolder(lockFolder: string): Promise<void> {
  await mkdir(lockFolder, { recursive: true, mode: 0o700 });
}

/** Is the lock held by any process, of this service or an earlier one? Fault: `tool-missing`. */
export async function isLocked(lock: string): Promise<boolean> {
  const there = await access(lock).then(
    () => true,
    () => false,
  );
  if (!there) return false;
  const said = await run(["flock", "--nonblock", "--conflict-exit-code", String(lockedStatus), lock, "true"]);
  if (said.missing) throw Fault.of("tool-missing", { tool: "flock", package: "util-linux" });
  return said.exitCode === lockedStatus;
}
