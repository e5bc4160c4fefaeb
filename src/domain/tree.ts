import type { ProcessIdentity } from "./run.ts";

/** What `/proc` says of a process tree at one moment; everything the findings and the file capture are derived from. */
export type TreeFacts = {
  readonly root: ProcessIdentity;
  readonly rootVpid: number;
  readonly processes: readonly ProcessFacts[];
  /** Processes of the job's own pid namespace that are not under the root: they would be lost. Empty for an adopted tree. */
  readonly strays: readonly { readonly pid: number; readonly comm: string }[];
  /** Unix and INET sockets the tree holds. */
  readonly sockets: readonly SocketFacts[];
  /** `FLOCK`/`POSIX`/`OFDLCK`/`LEASE` locks held by the tree, one line each as `/proc/locks` has it. */
  readonly locks: readonly string[];
};

export type ProcessFacts = {
  readonly pid: number;
  readonly vpid: number;
  readonly ppid: number;
  readonly comm: string;
  readonly state: string;
  readonly sessionPid: number;
  readonly isKernelThread: boolean;
  readonly tracerPid: number;
  readonly startTicks: number;
  readonly residentBytes: number;
  /** Inode numbers of its namespaces, by the names in `/proc/PID/ns`. */
  readonly namespaces: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly tmpdir: string | null;
  readonly descriptors: readonly DescriptorFacts[];
  readonly mappings: readonly MappingFacts[];
};

export type DescriptorFacts = {
  readonly fd: number;
  /** The link's text, ` (deleted)` cut off. */
  readonly target: string;
  readonly deleted: boolean;
  readonly type: "file" | "directory" | "pipe" | "socket" | "tty" | "device" | "anon" | "memfd" | "other";
  /** Open flags, from fdinfo (octal there). */
  readonly flags: number;
  readonly position: number;
  /** `dev:ino` of what it refers to. */
  readonly inode: string;
  readonly size: number;
  readonly hardLinks: number;
};

export type MappingFacts = {
  readonly path: string;
  readonly deleted: boolean;
  readonly shared: boolean;
  readonly writable: boolean;
  /** `file`: a regular file; `sysv`, `shmem`, `memfd`, `device` and `special` ([vdso], io_uring) by their name. */
  readonly type: "file" | "sysv" | "shmem" | "memfd" | "device" | "special" | "anon";
  readonly inode: string;
  readonly bytes: number;
};

export type SocketFacts = {
  readonly inode: number;
  readonly family: "unix" | "inet" | "inet6" | "netlink" | "packet" | "other";
  readonly kind: "stream" | "dgram" | "seqpacket" | "raw" | "other";
  readonly state: "listening" | "connected" | "unconnected" | "closing";
  readonly local: string;
  readonly remote: string;
  /** For a connected one: is the other end inside the tree? `unknown` where the kernel does not tell. */
  readonly peer: "inside" | "outside" | "none" | "unknown";
};
