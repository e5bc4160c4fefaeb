import { readdir, readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { isLocked } from "./lock.ts";
import { send } from "./job-processes.ts";

/** How long a CRIU may take to end after SIGTERM, in milliseconds. */
const grace = 5000;

/**
 * Ends a dump: SIGTERM to its process group, SIGKILL after five seconds, and waits until the lock, which CRIU itself holds, is free.
 * The job runs on by itself once its tracer is gone. False if it is still held after ten seconds more (a process stuck in the kernel).
 */
export async function endDump(group: number, lock: string): Promise<boolean> {
  const free = async () => !(await isLocked(lock));
  send(-group, "SIGTERM");
  await comesTrue(free, grace);
  // Also when CRIU has gone: a hook that does not would stay behind in the job's own pid namespace.
  send(-group, "SIGKILL");
  return comesTrue(free, 2 * grace);
}

/**
 * Ends the criu of an earlier process that dumps to `images` and hangs: found by its words (`dump ... -D images`) in
 * `/proc/PID/cmdline`, with the `flock` and `nsenter` around it. Gives the pids that were ended; empty if there was none.
 */
export async function endHungDump(images: string): Promise<readonly number[]> {
  const found = await dumpsTo(images);
  for (const pid of found) send(pid, "SIGTERM");
  const gone = async () => (await dumpsTo(images)).length === 0;
  if (!(await comesTrue(gone, grace))) {
    for (const pid of await dumpsTo(images)) send(pid, "SIGKILL");
    await comesTrue(gone, grace);
  }
  return found;
}

/** Pids of the processes that dump to this folder. */
export async function dumpsTo(images: string): Promise<readonly number[]> {
  const found: number[] = [];
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
    const words = (await readFile(`/proc/${name}/cmdline`, "utf8").catch(() => "")).split("\0");
    if ((words.includes("dump") || words.includes("pre-dump")) && words.some((word, i) => word === "-D" && words[i + 1] === images))
      found.push(Number(name));
  }
  return found;
}

async function comesTrue(ask: () => Promise<boolean>, milliseconds: number): Promise<boolean> {
  for (let waited = 0; waited < milliseconds; waited += 100) {
    if (await ask()) return true;
    await sleep(100);
  }
  return ask();
}
