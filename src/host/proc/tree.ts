import { numbersIn, readKernelFile, readKernelLink } from "./kernel-file.ts";
import { isDead, readStat, type ProcessStat } from "./stat.ts";

/**
 * The process and all below it but for `except` and what is below that, parents first, zombies among them. Walked down by `children` files, so that it costs what the tree
 * costs and not what the machine runs. (proc_tid_children(5): exact only while the tree stands still, as CRIU's own walk.)
 */
export function processesUnder(root: number, except: number | null = null): readonly ProcessStat[] {
  const found = new Map<number, ProcessStat>();
  const walk = (pid: number): void => {
    if (found.has(pid) || pid === except) return;
    const stat = readStat(pid);
    if (stat === null) return;
    found.set(pid, stat);
    for (const child of childrenOf(pid)) walk(child);
  };
  walk(root);
  return [...found.values()];
}

function childrenOf(pid: number): readonly number[] {
  const threads = numbersIn(`/proc/${pid}/task`);
  const lists = threads.map((thread) => readKernelFile(`/proc/${pid}/task/${thread}/children`) ?? "");
  return lists.flatMap((list) => list.split(" ").filter(Boolean).map(Number));
}

/**
 * Live processes of the init's own pid namespace that are not under the job's root: what it does while it is looked at makes no strays.
 * A process that entered from outside (`nsenter`, CRIU
 * itself) is nobody's child in there, so a walk down from the init does not meet it.
 */
export function strayProcesses(init: number, root: number): readonly { readonly pid: number; readonly comm: string }[] {
  const inside = readKernelLink(`/proc/${init}/ns/pid`);
  if (inside === null) return [];
  const others = processesUnder(init, root).filter((stat) => stat.pid !== init && !isDead(stat));
  return others.filter(({ pid }) => readKernelLink(`/proc/${pid}/ns/pid`) === inside).map(({ pid, comm }) => ({ pid, comm }));
}

/** The process itself, its parent, and so on up. */
export function ancestorsOf(pid: number): ReadonlySet<number> {
  const found = new Set<number>();
  for (let at = pid; at > 0 && !found.has(at); at = readStat(at)?.ppid ?? 0) found.add(at);
  return found;
}
