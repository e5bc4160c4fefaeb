import { readdir, readFile, readlink } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

/** A process of the job as `/proc/PID/stat` has it: `T` stopped by a signal, `t` held by a tracer. */
export type Standing = { readonly pid: number; readonly state: string };

/**
 * All processes of the job, as the host numbers them: those of init's pid namespace and below it, or, without one, the tree under
 * `root`. The init itself is left out: CRIU never stops it.
 */
export async function jobProcesses(init: number | null, root: number): Promise<readonly Standing[]> {
  const all = await everyProcess();
  if (init === null) return underRoot(all, root);
  const inside = await pidNamespace(init);
  if (inside === null) return [];
  const found: Standing[] = [];
  for (const process of all) if (process.pid !== init && (await pidNamespace(process.pid)) === inside) found.push(process);
  return found;
}

/**
 * Sees to it that nobody is left standing after a CRIU that was killed: waits for the kernel to let traced processes go, and sends
 * SIGCONT to those stopped now that were not in `stoppedBefore`. Gives the pids that stand still all the same.
 */
export async function thaw(
  list: () => Promise<readonly Standing[]>,
  stoppedBefore: ReadonlySet<number>,
): Promise<readonly number[]> {
  for (let round = 0; ; round++) {
    const standing = (await list()).filter(({ pid, state }) => "Tt".includes(state) && !stoppedBefore.has(pid));
    if (standing.length === 0 || round === 20) return standing.map(({ pid }) => pid);
    for (const { pid, state } of standing) if (state === "T") send(pid, "SIGCONT");
    await sleep(100);
  }
}

/** Sends the signal; false if there is no such process (or group, for a negative pid). */
export function send(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

type Listed = Standing & { readonly ppid: number };

async function everyProcess(): Promise<readonly Listed[]> {
  const found: Listed[] = [];
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const text = await readFile(`/proc/${name}/stat`, "latin1").catch(() => "");
    // The name in parentheses may itself hold spaces and parentheses.
    const [state = "", ppid = ""] = text.slice(text.lastIndexOf(")") + 2).split(" ");
    if (state !== "" && state !== "Z") found.push({ pid: Number(name), state, ppid: Number(ppid) });
  }
  return found;
}

function underRoot(all: readonly Listed[], root: number): readonly Standing[] {
  const tree = new Set([root]);
  for (let size = 0; size !== tree.size;) {
    size = tree.size;
    for (const { pid, ppid } of all) if (tree.has(ppid)) tree.add(pid);
  }
  return all.filter(({ pid }) => tree.has(pid));
}

async function pidNamespace(pid: number): Promise<string | null> {
  return readlink(`/proc/${pid}/ns/pid`).catch(() => null);
}
