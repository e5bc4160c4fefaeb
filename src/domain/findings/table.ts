import type { Finding } from "../finding.ts";

export type FindingRow = Pick<Finding, "level" | "remedy"> & {
  readonly dump?: readonly string[];
  readonly restore?: readonly string[];
};

const nothing = "nothing to do";
const tcp = ["--network-lock=skip", "--tcp-established"];

/**
 * Every finding there is. Codes are a promise; `docs/findings.md` has one chapter for each, held by a law test. Options that depend on
 * what was seen (a limit) are added where the finding is made. Each level was tried with CRIU 4.2.1: `test/integration/processes`.
 */
export const findingTable = {
  // sockets
  "tcp-inside": { level: "handled", remedy: nothing, dump: tcp, restore: tcp },
  "tcp-listening": { level: "handled", remedy: nothing },
  "tcp-outside": {
    level: "refused",
    remedy:
      "have the job close that connection (a licence server, a database, a notebook), or protect the other end's tree as well by one root",
  },
  "tcp-waiting": {
    level: "refused",
    remedy: "try again once the program has accepted the connection",
  },
  udp: { level: "handled", remedy: nothing },
  "unix-inside": { level: "handled", remedy: nothing },
  "unix-outside": {
    level: "refused",
    remedy:
      "start the job with `holdfast run`, which gives it files for its standard streams, and keep it from talking to a service",
  },
  "unix-datagram": { level: "handled", remedy: nothing, dump: ["--ext-unix-sk"], restore: ["--ext-unix-sk"] },
  "unix-unknown": {
    level: "caution",
    remedy: "load the kernel module unix_diag, which CRIU needs too; the dump tells whether these sockets stay inside",
  },
  "socket-kind": { level: "refused", remedy: "close it, or use TCP (for Go programs: GODEBUG=multipathtcp=0)" },
  "socket-unknown": {
    level: "caution",
    remedy: "the kernel does not say what these sockets are; the dump tells whether CRIU can do them",
  },

  // files
  locks: { level: "handled", remedy: nothing, dump: ["--file-locks"], restore: ["--file-locks"] },
  "unlinked-file": { level: "handled", remedy: nothing },
  "unlinked-large": { level: "refused", remedy: "keep that file's name while it is open: then it is captured like any other" },
  "unlinked-name": { level: "handled", remedy: nothing, dump: ["--link-remap"] },
  "deleted-cwd": { level: "handled", remedy: nothing },
  "foreign-mount": {
    level: "refused",
    remedy: "start the job with `holdfast run`, which opens its files inside its own namespace",
  },
  inotify: { level: "handled", remedy: nothing },
  "pipe-outside": {
    level: "refused",
    remedy: "protect the pid of the shell that holds the whole pipeline, or write to a file instead of a pipe",
  },
  terminal: { level: "refused", remedy: "run it without a terminal: `holdfast run` gives it files instead" },
  "terminal-inside": { level: "handled", remedy: nothing },

  // what CRIU cannot save
  "io-uring": { level: "refused", remedy: "switch io_uring off (Node and libuv programs: UV_USE_IO_URING=0)" },
  userfaultfd: { level: "refused", remedy: "switch off what uses userfaultfd (post-copy migration, some garbage collectors)" },
  "perf-event": { level: "refused", remedy: "run it without the profiler" },
  bpf: { level: "refused", remedy: "run it without BPF programs" },
  "anonymous-inode": { level: "refused", remedy: "switch off the feature that opened it" },
  gpu: { level: "refused", remedy: "run it on the CPU, or rely on the restart files the program writes itself" },
  infiniband: { level: "refused", remedy: "keep MPI to shared memory and TCP (Open MPI: --mca btl self,vader,tcp)" },
  device: { level: "refused", remedy: "close the device while the job is under guard" },

  // memory
  "sysv-host": { level: "refused", remedy: "start the job with `holdfast run`, which gives it an IPC namespace of its own" },
  "sysv-own": { level: "handled", remedy: nothing },
  "huge-pages": {
    level: "caution",
    remedy: "they need as many free huge pages at the restore, and are written whole each time",
  },
  "criu-leftover": { level: "caution", remedy: "harmless; a dump that was killed left it, and it goes when the job ends" },

  // processes
  "not-session-leader": {
    level: "caution",
    remedy: "start it with `holdfast run` or setsid: job control of the shell it was started from does not come back",
    dump: ["--shell-job"],
    restore: ["--shell-job"],
  },
  stopped: { level: "caution", remedy: "it is saved as it is, and stays stopped after a restore too: `kill -CONT` wakes it" },
  traced: { level: "refused", remedy: "detach the debugger or strace" },
  strays: {
    level: "refused",
    remedy: "have the program not put processes into the background behind its own back (no daemons, no double forks)",
  },
  zombie: { level: "handled", remedy: nothing },
  seccomp: { level: "handled", remedy: nothing },
  "namespace-own": {
    level: "refused",
    remedy: "protect a job that lives in the host's namespaces, or start it with `holdfast run` (not from within a container)",
  },
  "namespace-nested": {
    level: "refused",
    remedy: "run the whole job in one set of namespaces: no container and no `unshare` inside of it",
  },
} as const satisfies Record<string, FindingRow>;

export type FindingCode = keyof typeof findingTable;

/** The finding of that code, with what was seen, and any options that depend on it. */
export function found(code: FindingCode, what: string, dump: readonly string[] = []): Finding {
  const row: FindingRow = findingTable[code];
  return {
    code,
    level: row.level,
    what,
    remedy: row.remedy,
    dumpOptions: [...(row.dump ?? []), ...dump],
    restoreOptions: row.restore ?? [],
  };
}

/** A list as a person reads it: the first three, and how many more. */
export function listed(things: readonly string[]): string {
  const all = [...new Set(things)];
  return all.length > 3 ? `${all.slice(0, 3).join(", ")} and ${all.length - 3} more` : all.join(", ");
}
