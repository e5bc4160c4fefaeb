import type { ProcessIdentity } from "../../domain/run.ts";
import { readKernelFile } from "./kernel-file.ts";

/** What is needed of `/proc/PID/stat`. (proc_pid_stat(5)) */
export type ProcessStat = {
  readonly pid: number;
  readonly comm: string;
  /** One letter; `Z` and `X` are dead, `T` is stopped by a signal, `t` by a tracer. */
  readonly state: string;
  readonly ppid: number;
  readonly sessionPid: number;
  readonly flags: number;
  readonly startTicks: number;
};

/** `null`: there is no such process. */
export function readStat(pid: number): ProcessStat | null {
  const text = readKernelFile(`/proc/${pid}/stat`);
  return text === null ? null : parseStat(text);
}

/** The name, in parentheses, may itself hold spaces and parentheses: it ends at the last one. */
export function parseStat(text: string): ProcessStat | null {
  const opened = text.indexOf("(");
  const closed = text.lastIndexOf(")");
  if (opened < 0 || closed < opened) return null;
  // Field 3 of the manual page is the first one here.
  const fields = text.slice(closed + 2).split(" ");
  return {
    pid: Number(text.slice(0, opened)),
    comm: text.slice(opened + 1, closed),
    state: fields[0] ?? "",
    ppid: Number(fields[1]),
    sessionPid: Number(fields[3]),
    flags: Number(fields[6]),
    startTicks: Number(fields[19]),
  };
}

const PF_KTHREAD = 0x0020_0000;

/** A thread of the kernel: no memory, no files, not even a program. */
export function isKernelThread({ pid, ppid, flags }: ProcessStat): boolean {
  return (flags & PF_KTHREAD) !== 0 || pid === 2 || ppid === 2;
}

/** Gone, but for its entry in the table. */
export function isDead({ state }: ProcessStat): boolean {
  return state === "Z" || state === "X";
}

/** The identity of a live process; `null` if there is none. */
export function readIdentity(pid: number): ProcessIdentity | null {
  const stat = readStat(pid);
  return stat === null || isDead(stat) ? null : { pid, startTicks: stat.startTicks, bootId: readBootId() };
}

/** Is it still the process it was? */
export function isAlive(identity: ProcessIdentity): boolean {
  const found = readIdentity(identity.pid);
  return found !== null && found.startTicks === identity.startTicks && found.bootId === identity.bootId;
}

let bootId: string | undefined;

/** The same for as long as this process lives. */
function readBootId(): string {
  return (bootId ??= (readKernelFile("/proc/sys/kernel/random/boot_id") ?? "").trim());
}
