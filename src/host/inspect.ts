import type { ProcessIdentity } from "../domain/run.ts";
import type { TreeFacts } from "../domain/tree.ts";
import { Fault } from "../faults/fault.ts";
import { mountTable } from "./proc/mounts.ts";
import { pipesOutside } from "./proc/pipes.ts";
import { readNamespaces, readProcess } from "./proc/process.ts";
import { readSockets } from "./proc/sockets.ts";
import { isAlive, isKernelThread, readStat } from "./proc/stat.ts";
import { ancestorsOf, processesUnder, strayProcesses } from "./proc/tree.ts";

/** A tree as `/proc` shows it now, read synchronously. Faults: `pid-unknown`, `pid-kernel-thread`, `pid-self`. */
export function inspect(root: ProcessIdentity, init: ProcessIdentity | null): TreeFacts {
  refuseWrongRoot(root);
  const mounts = mountTable();
  const readings = processesUnder(root.pid).flatMap((stat) => readProcess(stat, mounts) ?? []);
  const processes = readings.map(({ facts }) => facts);
  const [top] = processes;
  // It may have ended, or become a zombie, between two reads.
  if (top?.pid !== root.pid || !isAlive(root)) throw Fault.of("pid-unknown", { pid: root.pid });
  const own = readNamespaces(process.pid);
  return {
    root,
    rootVpid: top.vpid,
    processes,
    strays: init === null ? [] : strayProcesses(init.pid, root.pid),
    sockets: readSockets(processes, own["net"] ?? ""),
    locks: [...uniqueLocks(readings.flatMap(({ locks }) => locks))],
    pipesOutside: pipesOutside(processes),
    entered: init === null ? own : { ...own, ...enteredOf(init) },
  };
}

function refuseWrongRoot(root: ProcessIdentity): void {
  const { pid } = root;
  const stat = readStat(pid);
  if (stat !== null && isKernelThread(stat)) throw Fault.of("pid-kernel-thread", { pid });
  if (!isAlive(root)) throw Fault.of("pid-unknown", { pid });
  if (ancestorsOf(process.pid).has(pid)) throw Fault.of("pid-self", { pid });
}

/** What `nsenter -t INIT -p -m` enters. */
function enteredOf(init: ProcessIdentity): Record<string, string> {
  const { pid, mnt } = readNamespaces(init.pid);
  return { ...(pid === undefined ? {} : { pid }), ...(mnt === undefined ? {} : { mnt }) };
}

/** A lock that several descriptors share is told at each of them; the number before the colon counts within one of them. */
function uniqueLocks(lines: readonly string[]): Iterable<string> {
  return new Map(lines.map((line) => [line.slice(line.indexOf(":") + 1), line])).values();
}
