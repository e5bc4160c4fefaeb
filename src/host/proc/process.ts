import type { ProcessFacts } from "../../domain/tree.ts";
import { readDescriptors } from "./descriptors.ts";
import { readKernelFile, readKernelLink } from "./kernel-file.ts";
import { readMappings } from "./mappings.ts";
import type { MountTable } from "./mounts.ts";
import { isDead, type ProcessStat } from "./stat.ts";

/** The facts of one process, with the locks its descriptors hold; `null` if it has gone meanwhile. */
export type ProcessReading = { readonly facts: ProcessFacts; readonly locks: readonly string[] };

export function readProcess(stat: ProcessStat, mounts: MountTable): ProcessReading | null {
  const { pid, ppid, comm, state, sessionPid, startTicks } = stat;
  const status = parseStatus(readKernelFile(`/proc/${pid}/status`) ?? "");
  if (status === null) return null;
  const common = { pid, vpid: status.vpid, ppid, comm, state, sessionPid, isKernelThread: false, startTicks };
  if (isDead(stat)) {
    const nothing = { tracerPid: 0, residentBytes: 0, namespaces: {}, cwd: "", tmpdir: null, descriptors: [], mappings: [] };
    return { facts: { ...common, ...nothing }, locks: [] };
  }
  const namespaces = readNamespaces(pid);
  const cwd = readKernelLink(`/proc/${pid}/cwd`);
  if (cwd === null) return null;
  const { descriptors, locks } = readDescriptors(pid, mounts.of(pid, namespaces["mnt"] ?? ""));
  const facts: ProcessFacts = {
    ...common,
    tracerPid: status.tracerPid,
    residentBytes: status.residentBytes,
    namespaces,
    cwd: cwd.replace(/ \(deleted\)$/, ""),
    cwdDeleted: cwd.endsWith(" (deleted)"),
    seccomp: status.seccomp,
    hugeBytes: status.hugeBytes,
    tmpdir: readTmpdir(pid),
    descriptors,
    mappings: readMappings(pid),
  };
  return { facts, locks };
}

/** What is needed of `/proc/PID/status`; `null` if it is not one. (proc_pid_status(5)) */
export function parseStatus(text: string) {
  const fields = new Map<string, string>();
  for (const line of text.split("\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  if (!fields.has("Pid")) return null;
  const kilobytes = (name: string): number => Number.parseInt(fields.get(name) ?? "0", 10) * 1024;
  return {
    /** As the process's own pid namespace numbers it: the last one. */
    vpid: Number((fields.get("NSpid") ?? fields.get("Pid") ?? "").split(/\s+/).at(-1)),
    tracerPid: Number(fields.get("TracerPid") ?? 0),
    residentBytes: kilobytes("VmRSS"),
    hugeBytes: kilobytes("HugetlbPages"),
    seccomp: Number(fields.get("Seccomp") ?? 0) !== 0,
  };
}

const namespaceNames = ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"] as const;

/** Inode numbers of the namespaces a process lives in, by name. One that the kernel does not have is missing. */
export function readNamespaces(pid: number): Readonly<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const name of namespaceNames) {
    const inode = /\[(\d+)\]$/.exec(readKernelLink(`/proc/${pid}/ns/${name}`) ?? "")?.[1];
    if (inode !== undefined) found[name] = inode;
  }
  return found;
}

/** The environment the process was started with: what it changed later is in its memory alone. */
function readTmpdir(pid: number): string | null {
  const environment = readKernelFile(`/proc/${pid}/environ`) ?? "";
  const entry = environment.split("\0").find((line) => line.startsWith("TMPDIR="));
  return entry?.slice("TMPDIR=".length) ?? null;
}
