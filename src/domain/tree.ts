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
  /** Targets (`pipe:[N]`, a FIFO's path) of pipes of which the tree holds one end alone, while somebody else holds the pipe too. */
  readonly pipesOutside?: readonly string[];
  /** The namespaces CRIU works from: Holdfast's own, with the pid and mount namespace of the job's init if it has one. */
  readonly entered?: Readonly<Record<string, string>>;
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
  /** The link's text, ` (deleted)` cut off. */
  readonly cwd: string;
  readonly cwdDeleted?: boolean;
  /** A seccomp filter or the strict mode is on. */
  readonly seccomp?: boolean;
  /** Memory in pages of the hugetlb pool (not transparent huge pages). */
  readonly hugeBytes?: number;
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
  /** `major:minor:inode` of what it refers to, as `/proc/PID/maps` writes it (major and minor in hex). */
  readonly inode: string;
  readonly size: number;
  readonly hardLinks: number;
  /** Opened on a mount that the process's own mount namespace does not have. */
  readonly foreignMount?: boolean;
  /** For the master side of a pseudo terminal: the N of its `/dev/pts/N`. */
  readonly ttyIndex?: number;
};

/** A mapping that has a name in `/proc/PID/maps`; nameless private memory is not listed. */
export type MappingFacts = {
  readonly path: string;
  readonly deleted: boolean;
  readonly shared: boolean;
  readonly writable: boolean;
  /** `file`: a regular file; `sysv`, `shmem`, `memfd`, `device` and `special` ([vdso], io_uring) by their name. */
  readonly type: "file" | "sysv" | "shmem" | "memfd" | "device" | "special" | "anon";
  readonly inode: string;
  readonly bytes: number;
  /** The file's length and names left, told for a deleted one only. */
  readonly size?: number;
  readonly hardLinks?: number;
};

export type SocketFacts = {
  readonly inode: number;
  /** `other`: one of another kind; `local` is then the name of its protocol, or empty if the kernel does not tell. */
  readonly family: "unix" | "inet" | "inet6" | "netlink" | "packet" | "other";
  readonly kind: "stream" | "dgram" | "seqpacket" | "raw" | "other";
  readonly state: "listening" | "connected" | "unconnected" | "closing";
  readonly local: string;
  readonly remote: string;
  /** For a connected one: is the other end inside the tree? `unknown` where the kernel does not tell. */
  readonly peer: "inside" | "outside" | "none" | "unknown";
  /** For a listening TCP socket: connections that were made and not yet accepted. */
  readonly pending?: number;
};
