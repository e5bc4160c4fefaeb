/** What one pattern in CRIU's log means, and what to do. */
export type LogRow = {
  /** A line as CRIU writes it, without time and source place: what the pattern was made from. */
  readonly sample: string;
  readonly pattern: RegExp;
  /** One clause, no full stop. */
  readonly meaning: string;
  /** One clause in the imperative, no full stop. */
  readonly advice: string;
  /**
   * `cause` (the default) explains; `warning` stands on a Warn line and explains an error that does not; `summary` only says that
   * something above it went wrong.
   */
  readonly weight?: "warning" | "summary";
};

const full = /No space left on device|Disk quota exceeded|Error flushing image/;

/** Does a log say that the images' place is full? */
export function isFull(logText: string): boolean {
  return full.test(logText);
}

const unfit = /Missing [0-9a-f]+ in parent pagemap|Hole 0x[0-9a-f]+(?:\/| - )0x[0-9a-f]+ not found in parent/;

/** Does a log say that the parent is not one of this process as it is now? A base needs none. */
export function isUnfit(logText: string): boolean {
  return unfit.test(logText);
}

/** CRIU's lines that stand in healthy logs too. */
export const harmless: readonly RegExp[] = [/rlimit: Can't setup RLIMIT_NOFILE/, /tun: Unable to create tun/];

/**
 * Longer than 250 lines because it is one table, a row for each thing CRIU says.
 * CRIU's log lines, versions 3.17 to 4.2.1, from criu-facts section 13: each seen in an experiment or read in CRIU's source.
 * The first row that fits a line is taken. `docs/reference/criu-log.md` is this table, held by a test.
 */
export const logTable: readonly LogRow[] = [
  // memory tracking and chains
  {
    sample: "Tracking memory is not available. Consider omitting --track-mem option.",
    pattern: /Tracking memory is not available/,
    meaning: "this kernel does not track which pages a process writes",
    advice: "take generations by page compare; run `holdfast doctor`",
  },
  {
    sample: "BUG at criu/mem.c:45",
    pattern: /BUG at criu\/mem\.c:45/,
    meaning: "a pre-dump was tried on a kernel that does not track written pages",
    advice: "do without pre-dumps on this machine",
  },
  {
    sample: "Pid-reuse detection failed: no parent inventory, check warnings in get_parent_inventory",
    pattern: /Pid-reuse detection failed/,
    meaning: "the parent generation was dumped without memory tracking",
    advice: "take a base",
  },
  {
    sample: "Missing 7f0e4c000000 in parent pagemap",
    pattern: unfit,
    meaning: "the parent generation does not fit this process: it ran another program since, or the chain is not whole",
    advice: "take a base",
  },
  {
    sample: "Auto-deduplication failed",
    pattern: /Auto-deduplication failed|Error punching hole/,
    meaning: "the filesystem cannot punch holes into files",
    advice: 'use dedup = "exact"',
  },
  {
    sample: "Can't open parent path",
    pattern: /Can't open parent path|No parent for snapshot pagemap/,
    meaning: "the generation it stands on is not where its link says",
    advice: "run `holdfast doctor`, and go back to another point",
  },

  // space
  {
    sample: "Unable to spice data: No space left on device",
    pattern: full,
    meaning: "there is no space left where the images go",
    advice: "free some space in the vault or in staging",
  },

  // the tree: who can be stopped and dumped
  {
    sample: "The root process 300 is not a session leader. Consider using --shell-job option",
    pattern: /root process \d+ is not a session leader/,
    meaning: "the job was not started in a session of its own",
    advice: "start it with `holdfast run`, or with setsid",
  },
  {
    sample: "A session leader of 312(12) is outside of its pid namespace",
    pattern: /session leader of .* is outside of its pid namespace/,
    meaning: "a process belongs to a session that began outside the job's pid namespace, or a dead process was never reaped",
    advice: "start the job with `holdfast run`",
  },
  {
    sample: "Can't dump a pid namespace without the process init",
    pattern: /Can't dump a pid namespace without the process init/,
    meaning: "the job lives in a container's pid namespace, and its init is not part of it",
    advice: "protect the container's first process, or start the job with `holdfast run`",
  },
  {
    sample: "The criu itself is within dumped tree.",
    pattern: /criu itself is within dumped tree/,
    meaning: "CRIU was asked to dump a tree that it runs in itself",
    advice: "give the pid of the job, not of a shell above it",
  },
  {
    sample: "Unable to interrupt task: 512 (Operation not permitted)",
    pattern: /Unable to interrupt task: \d+ \(Operation not permitted\)/,
    meaning: "a debugger or tracer is attached to a process of the job, or Holdfast lacks a capability",
    advice: "detach it (gdb, strace), and run `holdfast doctor`",
    weight: "warning",
  },
  {
    sample: "Unable to interrupt task: 512 (No such process)",
    pattern: /Unable to interrupt task: \d+ \(No such process\)/,
    meaning: "there is no such process any more",
    advice: "see `holdfast status` for how the job ended",
    weight: "warning",
  },
  {
    sample: "Unable to detach from 512: No such process",
    pattern: /Unable to detach from \d+: No such process/,
    meaning: "a process of the job ended, or is traced by another program",
    advice: "try again; if it stays, see whether a debugger is attached",
    weight: "summary",
  },
  {
    sample: "Timeout reached. Try to interrupt: 0",
    pattern: /Timeout reached\. Try to interrupt/,
    meaning: "a process could not be stopped in time; it waits in the kernel, mostly for a disk or a network mount",
    advice: "look at the storage it uses, then try again",
  },
  {
    sample: "Unable to freeze cgroup /sys/fs/cgroup/freezer/x",
    pattern: /Unable to freeze cgroup/,
    meaning: "the kernel could not freeze the job's control group",
    advice: "try again",
  },

  // files and descriptors
  {
    sample: "Can't lookup mount=42 for fd=1 path=/home/u/out",
    pattern: /Can't lookup mount=\d+ for fd=-?\d+/,
    meaning: "a file is open that belongs to another mount namespace",
    advice: "start the job with `holdfast run`, which opens its streams inside",
  },
  {
    sample: "Can't dump file 5 of that type [20600] (unknown /dev/fuse)",
    pattern: /Can't dump file \d+ of that type/,
    meaning: "the job holds a device or a kernel object open that CRIU cannot save",
    advice: "run `holdfast check` on its pid to see which",
  },
  {
    sample: "send_fds failed (-22)",
    pattern: /send_fds failed|Can't retrieve FDs? from socket/,
    meaning: "the job uses io_uring, which CRIU cannot save",
    advice: "turn it off in the program (for Node and libuv: UV_USE_IO_URING=0)",
  },
  {
    sample: "Can't handle non-regular mapping on 512's map 7f0000000000",
    pattern: /Can't handle non-regular mapping on/,
    meaning: "the job maps a device (a GPU, InfiniBand), which CRIU cannot save",
    advice: "run it without that device",
  },
  {
    sample: "Task 512 with SysVIPC shmem map @7f0000000000 doesn't live in IPC ns",
    pattern: /SysVIPC shmem map .* doesn't live in IPC ns/,
    meaning: "the job uses System V shared memory of the whole machine",
    advice: "start it with `holdfast run`, which gives it an IPC namespace of its own",
  },
  {
    sample: "Can't create link remap for /home/u/x. Use link-remap option.",
    pattern: /Can't create link remap for/,
    meaning: "the job holds a file open whose name was removed, while another name of it is left",
    advice: "run `holdfast check` on its pid",
  },
  {
    sample: "Can't dump ghost file /tmp/x of 2097152 size, increase limit",
    pattern: /Can't dump ghost file .* increase limit/,
    meaning: "the job holds a large file open that was removed or replaced",
    advice: "have it closed, or raise the limit for such files",
  },
  {
    sample: "Unaccessible path opened 2049:1234, need 2049:1235",
    pattern: /Unaccessible path opened/,
    meaning: "a file the job holds open was replaced by another one of the same name",
    advice: "do not rename over files that a running job has open",
  },
  {
    sample: "Some file locks are hold by dumping tasks! You can try --file-locks to dump them.",
    pattern: /Some file locks are hold by dumping tasks/,
    meaning: "the job holds file locks that were not there when it was looked at",
    advice: "try again",
  },

  // sockets and terminals
  {
    sample: "External socket is used. Consider using --ext-unix-sk option.",
    pattern: /External socket is used|Can't dump half of stream unix connection/,
    meaning: "the job is connected to a program outside it by a unix socket",
    advice: "have its standard streams go to files, and close connections to services",
  },
  {
    sample: "Connected TCP socket, consider using --tcp-established option.",
    pattern: /Connected TCP socket, consider using --tcp-established/,
    meaning: "the job has a TCP connection",
    advice: "run `holdfast check` on its pid to see to whom",
  },
  {
    sample: "Found slave peer index 2 without correspond master peer",
    pattern: /Found slave peer index|Don't have tty to inherit session from/,
    meaning: "the job is tied to a terminal",
    advice: "start it with `holdfast run`, away from the terminal",
  },
  {
    sample: "Can't get 1:16 opt: Operation not supported",
    pattern: /Can't get 1:16 opt/,
    meaning: "this CRIU cannot dump sockets on this kernel; it needs 4.2 or newer",
    advice: "run `holdfast doctor --fix`",
  },
  {
    sample: "Iptables configuration failed",
    pattern: /[Ii]ptables configuration failed/,
    meaning: "CRIU wanted iptables to hold TCP connections still, and there is none",
    advice: "run `holdfast check` on its pid; connections inside the job need no lock",
  },

  // CRIU and the kernel
  {
    sample: "512 has rseq but kernel lacks get_rseq_conf feature",
    pattern: /has rseq but kernel lacks get_rseq_conf/,
    meaning: "the kernel is older than 5.13 and the C library newer than it",
    advice: "use a newer kernel",
  },
  {
    sample: "Unexpected rt vDSO area bounds",
    pattern: /Unexpected rt vDSO area bounds/,
    meaning: "this CRIU is too old for this kernel (6.13 and newer need CRIU 4.1)",
    advice: "run `holdfast doctor --fix`",
  },
  {
    sample: "Could not initialize kernel features detection.",
    pattern: /Could not initialize kernel features detection/,
    meaning: "CRIU could not find out what this kernel can do",
    advice: "run `holdfast doctor --fix`",
    weight: "summary",
  },

  // restore: pids
  {
    sample: "Can't fork for 300: File exists",
    pattern: /Can't fork for \d+: File exists|Thread pid mismatch|Unable to create a thread/,
    meaning: "a pid that the job needs is taken by another process",
    advice: "let Holdfast restore it, into a pid namespace of its own",
  },
  {
    sample: "Can't restore pid namespace without the process init",
    pattern: /Can't restore pid namespace without the process init/,
    meaning: "the images are of a pid namespace without its init",
    advice: "restore it inside a fresh pid namespace",
  },

  // restore: files
  {
    sample: "File home/u/traj.dump has bad size 1184964 (expect 788145)",
    pattern: /File .* has bad size \d+ \(expect \d+\)/,
    meaning: "a file the job had open has another length than at the dump",
    advice: "put the file back as it was at that point",
  },
  {
    sample: "File usr/bin/x has bad mode 0100644 (expect 0100755)",
    pattern: /File .* has bad mode/,
    meaning: "a file the job had open has other permissions than at the dump",
    advice: "give it back its permissions",
  },
  {
    sample: "File usr/lib/libx.so has bad build-ID",
    pattern: /has bad build-ID/,
    meaning: "a program or library the job uses was replaced by another build",
    advice: "put the old version back (an upgrade may have replaced it)",
  },
  {
    sample: "Can't link tmp/link_remap.5 -> tmp/x: No such file or directory",
    pattern: /Can't link .*link_remap\.\d+/,
    meaning: "the file that stands for a removed name is gone",
    advice: "go back to another point",
  },
  {
    sample: "Can't open file home/u/in.dat on restore: No such file or directory",
    pattern: /Can't open file .* on restore/,
    meaning: "a file the job had open is not there, or cannot be opened",
    advice: "put it back",
  },

  // restore: damaged or foreign images
  {
    sample: "Can't read mapping page 0x7f0000000000: Success",
    pattern: /Can't read mapping page|Advanced iov 0 bytes/,
    meaning: "a pages file is shorter than its map says",
    advice: "go back to another point, and run `holdfast verify`",
  },
  {
    sample: "Page entry address 7f0000000000 outside of VMA 7f1000000000-7f1000010000",
    pattern: /Page entry address .* outside of VMA|Trying to restore page for non-private VMA/,
    meaning: "the map of pages does not fit the memory it belongs to",
    advice: "go back to another point",
  },
  {
    sample: "vdso: ELF header magic mismatch",
    pattern: /vdso: ELF header magic mismatch/,
    meaning: "pages were lost, or the images were made by a newer CRIU than this one",
    advice: "compare the CRIU versions, then go back to another point",
  },
  {
    sample: "Too old image, no longer supported",
    pattern: /Too old image, no longer supported/,
    meaning: "the directory holds a pre-dump, which cannot be restored",
    advice: "restore the dump that stands on it",
  },
  {
    sample: "Unexpected EOF on (empty-image)",
    pattern: /Unexpected EOF/,
    meaning: "an image is cut off or missing; the dump was never finished",
    advice: "go back to another point",
  },
  {
    sample: "Magic doesn't match for core-300.img",
    pattern: /(Head m|M)agic doesn't match/,
    meaning: "an image is damaged, or is no image of CRIU",
    advice: "go back to another point",
  },
  {
    sample: "Unable to detach 302: No such process",
    pattern: /Unable to detach \d+: No such process/,
    meaning: "a process of the job ended while CRIU was still letting go of the others",
    advice: "try again",
  },
  {
    sample: "Can't open dir /vault/x: No such file or directory",
    pattern: /Can't open dir /,
    meaning: "the images directory is not there",
    advice: "see `holdfast points` for those that are whole",
  },
  {
    sample: "Need to set the --tcp-close options.",
    pattern: /Need to set the --tcp-close options|Dumped with --allow-uprobes/,
    meaning: "an option of the dump must be given at the restore too",
    advice: "use the options that the point's manifest names",
  },

  // restore: the processor
  {
    sample: "CPU instruction capabilities do not match run time",
    pattern: /CPU instruction capabilities do not match|FPU (feature|xsave)|xsave size mismatch|FPU capability/,
    meaning: "this processor lacks something that the one of the dump had",
    advice: "restore on the same kind of processor",
  },
  {
    sample: "512 killed by signal 11: Segmentation fault",
    pattern: /\d+ killed by signal (?!9\b)\d+/,
    meaning: "a process died while it was being brought back: damaged pages, or a CRIU too old for its C library",
    advice: "run `holdfast verify`, and go back to another point",
  },

  // summaries: something above them is the cause
  {
    sample: "300 killed by signal 9: Killed",
    pattern: /\d+ killed by signal 9\b/,
    meaning: "CRIU took back what it had begun",
    advice: "see the lines above it in the log",
    weight: "summary",
  },
  {
    sample: "Script /usr/lib/holdfast-hook exited with -1",
    pattern:
      /Script .* exited with|One of more action scripts failed|dump script failed|^killed by signal \d+|exited, status=\d+|execvp\(.*\) failed/,
    meaning: "the program that CRIU calls inside the freeze failed, or the service behind it went away",
    advice: "see the service's log",
    weight: "summary",
  },
  {
    sample: "Can't dump page with parasite",
    pattern: /Can't dump page with parasite/,
    meaning: "the memory of a process could not be read",
    advice: "see the lines above it in the log",
    weight: "summary",
  },
  {
    sample: "Dumping FAILED.",
    pattern: /Dumping FAILED|Restoring FAILED|Pre-dumping FAILED/,
    meaning: "CRIU gave up without a reason",
    advice: "see the log",
    weight: "summary",
  },
];
