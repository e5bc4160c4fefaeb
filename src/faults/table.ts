/** One row of the table: what a user reads, and what a program may do about it. */
export type FaultRow = {
  /** Process exit status, from the promise in `docs/errors.md`. */
  readonly exit: 2 | 3 | 10 | 11 | 12 | 13 | 14;
  /** `later`: the same call may go through later; `changed`: only after the remedy; `never`: not with this input. */
  readonly retry: "later" | "changed" | "never";
  readonly message: string;
  /** What to do next, with the command to type where there is one. */
  readonly remedy: string;
};

/**
 * Every error a user can meet. Longer than 250 lines because it is one table: two halves would let a code be defined twice.
 * Codes are a promise: they are never renamed or given another meaning.
 * `docs/errors.md` has one chapter for each, held by a law test.
 */
export const table = {
  // usage and settings (2)
  usage: { exit: 2, retry: "never", message: "{what}", remedy: "see `holdfast {command} --help`" },
  "name-invalid": {
    exit: 2,
    retry: "never",
    message: "{name} cannot be a job's name",
    remedy: "use 1 to 64 of A-Z a-z 0-9 . _ - , not starting with a dot or a dash",
  },
  "settings-invalid": {
    exit: 2,
    retry: "changed",
    message: "{file}{line}: {path}: {problem}",
    remedy: "correct that value; config/holdfast.toml shows every key with its default",
  },
  "settings-missing": {
    exit: 2,
    retry: "changed",
    message: "the settings file {file} cannot be read: {why}",
    remedy: "give another with --config or HOLDFAST_CONFIG",
  },
  "duration-invalid": {
    exit: 2,
    retry: "never",
    message: "{text} is not a duration",
    remedy: "write for example 90s, 10m, 1h30m or 2d",
  },
  "interval-short": { exit: 2, retry: "never", message: "every {text} is too often", remedy: "give an interval of 1s or more" },
  "size-invalid": { exit: 2, retry: "never", message: "{text} is not a size", remedy: "write for example 512MiB, 20GiB or 1TB" },
  "time-invalid": {
    exit: 2,
    retry: "never",
    message: "{text} is not a time: {why}",
    remedy: "write an ISO time, 14:05, `yesterday 14:05` or `2h ago`",
  },
  "cron-invalid": {
    exit: 2,
    retry: "never",
    message: "{text} is not a cron expression: {why}",
    remedy: "give five fields, or six with seconds first, as in `*/15 * * * *`",
  },
  "zone-invalid": {
    exit: 2,
    retry: "never",
    message: "{zone} is not a time zone",
    remedy: "use a name such as Europe/Berlin or UTC",
  },
  "policy-invalid": {
    exit: 2,
    retry: "never",
    message: "{text} is not a retention policy: {why}",
    remedy: "write for example `last=6, within=2h, hourly=24, daily=7, weekly=4, max-bytes=200GiB`, or `all`",
  },
  "dedup-needs-last": {
    exit: 2,
    retry: "never",
    message: 'dedup = "in-dump" keeps no point but the newest, and the policy is {keep}',
    remedy: "give it --keep last=1, or use --dedup exact, which keeps as many as you like",
  },
  "slice-invalid": {
    exit: 2,
    retry: "never",
    message: "{text} is not a part of the points",
    remedy: "write for example 1/7 (a seventh each night), 1/1 or 0/1",
  },
  "share-invalid": {
    exit: 2,
    retry: "never",
    message: "{text} is not a share of the bytes",
    remedy: "write for example 5%, 100% (everything) or 0% (no pages and no captured files)",
  },
  "user-unknown": { exit: 2, retry: "changed", message: "there is no user {user} on this machine", remedy: "see `getent passwd`" },
  "command-missing": {
    exit: 2,
    retry: "changed",
    message: "the command {command} cannot be run: {why}",
    remedy: "give its full path, or set PATH with --env",
  },

  // no such job or point (10)
  "job-unknown": {
    exit: 10,
    retry: "never",
    message: "there is no job named {job}",
    remedy: "see `holdfast status` for the jobs there are",
  },
  "point-unknown": {
    exit: 10,
    retry: "never",
    message: "job {job} has no restore point {point}",
    remedy: "see `holdfast points {job}`",
  },
  "timeline-unknown": {
    exit: 10,
    retry: "never",
    message: "job {job} has no timeline {timeline}",
    remedy: "see `holdfast points {job}`",
  },
  "no-point-before": {
    exit: 10,
    retry: "never",
    message: "job {job} has no restore point at or before {time}",
    remedy: "see `holdfast points {job}` for the oldest",
  },
  "no-points": {
    exit: 10,
    retry: "changed",
    message: "job {job} has no restore point yet",
    remedy: "take one with `holdfast take {job}`",
  },
  "pid-unknown": {
    exit: 10,
    retry: "never",
    message: "there is no process {pid}",
    remedy: "give the pid of the top process of the tree, as `ps -ef` shows it",
  },

  // busy (11)
  busy: { exit: 11, retry: "later", message: "{owner} is at work on {job} ({verb})", remedy: "wait for it, then try again" },
  "service-running": {
    exit: 11,
    retry: "later",
    message: "a service already runs on the vault {vault} (pid {pid})",
    remedy: "stop that one first, or give this one another vault",
  },
  "service-stopping": {
    exit: 11,
    retry: "later",
    message: "the service stops before this is done",
    remedy: "nothing: it goes on when the service runs again (`holdfast serve`)",
  },
  "deadline-short": {
    exit: 11,
    retry: "later",
    message: "the take of {job} was not begun, it would not end within {deadline}: {why}",
    remedy: "give it longer, or none: `holdfast take {job}`",
  },
  "catalogue-busy": {
    exit: 11,
    retry: "later",
    message: "the catalogue {file} stays locked by another process",
    remedy: "wait a moment, then try again",
  },

  // refused for safety (12)
  "name-taken": {
    exit: 12,
    retry: "never",
    message: "there is already a job named {job}",
    remedy: "choose another name, or `holdfast retire {job}` first",
  },
  "not-root": {
    exit: 12,
    retry: "changed",
    message: "{verb} needs root: CRIU reads and writes other processes' memory",
    remedy: "run it with sudo, or ask the node's admin",
  },
  "still-running": {
    exit: 12,
    retry: "changed",
    message: "job {job} still runs (pid {pid})",
    remedy: "`holdfast restore {job} --replace` takes a last point, stops it and goes back",
  },
  "not-running": {
    exit: 12,
    retry: "changed",
    message: "job {job} does not run ({state})",
    remedy: "bring it back with `holdfast restore {job}`",
  },
  unprotectable: { exit: 12, retry: "changed", message: "{job} cannot be protected: {findings}", remedy: "{advice}" },
  "pid-kernel-thread": {
    exit: 12,
    retry: "never",
    message: "process {pid} is a thread of the kernel; it has no memory of its own",
    remedy: "give the pid of a program",
  },
  "pid-self": {
    exit: 12,
    retry: "never",
    message: "process {pid} is holdfast itself, or one it runs under",
    remedy: "give the pid of the job",
  },
  "drill-refused": {
    exit: 12,
    retry: "never",
    message: "point {point} of {job} cannot be drilled: {why}",
    remedy: "nothing is known to be wrong with the point: `holdfast verify {job}` reads it back; see docs/explanation/drill.md",
  },
  "file-changed": {
    exit: 12,
    retry: "changed",
    message: "{file} is not as it was at point {point}: {why}",
    remedy: "put that file back (an upgrade may have replaced it), then try again",
  },
  "file-unrestorable": { exit: 12, retry: "changed", message: "{file} cannot be put back: {why}", remedy: "{advice}" },
  "space-short": {
    exit: 12,
    retry: "changed",
    message: "{place} has {free} free, {needed} are needed",
    remedy: "free some space there, then try again",
  },
  "dedup-unsupported": {
    exit: 12,
    retry: "never",
    message: 'dedup = "in-dump" needs a kernel that tracks written pages (soft-dirty), and this one does not',
    remedy: "use --dedup exact, which needs none; see `holdfast doctor`",
  },
  "pack-hot": {
    exit: 12,
    retry: "later",
    message: "point {point} of {job} is in the newest chain, and the job runs or is to come back: it stays unpacked",
    remedy: "nothing; it may be packed when a newer chain has begun, or when the job has ended",
  },
  "criu-differs": {
    exit: 12,
    retry: "changed",
    message: "point {point} was made by CRIU {made}, this is {present}",
    remedy: "use CRIU {made} or newer: `holdfast doctor --fix`",
  },
  "vault-newer": {
    exit: 12,
    retry: "changed",
    message: "{what} has format {found}; this Holdfast knows {known}",
    remedy: "use the newer Holdfast that wrote it",
  },
  "vault-not-there": {
    exit: 12,
    retry: "changed",
    message: "the vault {path} is empty, and the catalogue {file} knows {count} jobs in it",
    remedy: "mount the vault's disk, then try again; if the points are really gone, move that catalogue away",
  },
  "points-undecided": {
    exit: 12,
    retry: "changed",
    message: "job {job} has {count} restore points",
    remedy: "say what becomes of them: `holdfast retire {job} --keep-points` or `--delete-points`",
  },
  "nothing-to-adopt": {
    exit: 12,
    retry: "changed",
    message: "nothing in {dir} can be brought back: {why}",
    remedy: "give a folder of CRIU image directories (`1/`, `2/`, ...) made by `criu dump`, or one such directory",
  },
  "directory-not-empty": { exit: 12, retry: "changed", message: "{dir} is not empty", remedy: "give a new or an empty folder" },
  "cut-off": {
    exit: 12,
    retry: "later",
    message: "the service is shutting down; {verb} was not started",
    remedy: "try again when it is back",
  },

  // damaged data (13)
  "point-damaged": {
    exit: 13,
    retry: "never",
    message: "point {point} of {job} is damaged: {why}",
    remedy: "go back to an older one: `holdfast restore {job} --point {other}`",
  },
  "chain-broken": {
    exit: 13,
    retry: "never",
    message: "point {point} of {job} stands on {parent}, which is {why}",
    remedy: "go back to an older one: see `holdfast points {job}`",
  },
  "manifest-forged": {
    exit: 13,
    retry: "never",
    message: "the manifest of point {point} of {job} does not match this host's key",
    remedy: "it was edited or comes from another host; go back to another point: see `holdfast points {job}`",
  },
  "image-malformed": {
    exit: 13,
    retry: "never",
    message: "{file} is not a CRIU image this program can read: {why}",
    remedy: "check the directory with `crit`; another point may be whole",
  },
  "catalogue-damaged": {
    exit: 13,
    retry: "changed",
    message: "the catalogue {file} is damaged: {why}",
    remedy: "build it again from the vault, which is the truth: `holdfast catalogue rebuild`",
  },
  "vault-file-damaged": {
    exit: 13,
    retry: "changed",
    message: "{file} in the vault cannot be read: {why}",
    remedy: "put it back from a copy of the vault, or move it away and run `holdfast catalogue rebuild`",
  },
  "key-unusable": {
    exit: 13,
    retry: "changed",
    message: "the key {file} is of no use for this vault: {why}",
    remedy: "put the vault's own key back from its copy, for root alone (0600); until then nothing is marked or changed",
  },

  // an outside tool or the system failed (14)
  "criu-missing": {
    exit: 14,
    retry: "changed",
    message: "there is no CRIU at {path}",
    remedy: "`holdfast doctor --fix` installs one that works here",
  },
  "criu-too-old": {
    exit: 14,
    retry: "changed",
    message: "CRIU {version} does not work on this kernel: {why}",
    remedy: "`holdfast doctor --fix` installs one that does",
  },
  "criu-install-failed": { exit: 14, retry: "changed", message: "no working CRIU could be installed: {why}", remedy: "{advice}" },
  "parent-unfit": {
    exit: 14,
    retry: "later",
    message: "the last generation of {job} is none of the processes as they are now ({why})",
    remedy: "the next generation is a base; the log is {log}",
  },
  "dump-failed": {
    exit: 14,
    retry: "later",
    message: "CRIU could not dump {job}: {why}",
    remedy: "the log is {log}; the job runs on, and the next generation will be a base",
  },
  "dump-timeout": {
    exit: 14,
    retry: "later",
    message: "CRIU's dump of {job} was ended after {seconds} s",
    remedy: "raise limits.dump-timeout, or look at {log}; the job runs on, and the next generation will be a base",
  },
  "dump-incomplete": {
    exit: 14,
    retry: "later",
    message: "CRIU said the dump of {job} was done, but {why}",
    remedy: "the log is {log}; the next generation will be a base",
  },
  "restore-cut-off": {
    exit: 14,
    retry: "later",
    message: "the service or the machine went down while point {point} of {job} was brought back",
    remedy: "the files are as they were; `holdfast restore {job}` tries again",
  },
  "died-again": {
    exit: 14,
    retry: "changed",
    message: "{job} died {lived} after it came back from point {point}, {how}",
    remedy: "look at `holdfast logs {job}`; an older point: `holdfast points {job}`",
  },
  "end-unknown": {
    exit: 14,
    retry: "never",
    message: "whether {job} ended by itself or was killed is not known: it was taken on while it ran",
    remedy: "`holdfast restore {job}` brings it back, `holdfast retire {job}` if it has ended",
  },
  "drill-failed": {
    exit: 14,
    retry: "changed",
    message: "point {point} of {job} did not come back in a drill: {why}",
    remedy:
      "the live job and its files are as they were; an older point: `holdfast points {job}`, then `holdfast drill {job} --point N`",
  },
  "restore-failed": {
    exit: 14,
    retry: "changed",
    message: "CRIU could not restore point {point} of {job}: {why}",
    remedy: "the files are as they were; the log is {log}; try `holdfast restore {job} --point {other}`",
  },
  "restore-raced": {
    exit: 14,
    retry: "later",
    message: "point {point} of {job} came back, and a process of it ended before CRIU had let go of all ({why})",
    remedy: "the files are as they were; try again, or `holdfast restore {job} --point {other}`; the log is {log}",
  },
  "restore-timeout": {
    exit: 14,
    retry: "changed",
    message: "CRIU's restore of point {point} of {job} was ended after {seconds} s",
    remedy: "the files are as they were; the log is {log}; try `holdfast restore {job} --point {other}`",
  },
  "launch-failed": { exit: 14, retry: "changed", message: "{job} could not be started: {why}", remedy: "{advice}" },
  "stop-timeout": {
    exit: 14,
    retry: "later",
    message: "{job} did not end within {seconds} s of SIGTERM",
    remedy: "`holdfast stop {job} --kill` ends it at once",
  },
  "compiler-missing": {
    exit: 14,
    retry: "changed",
    message: "the small init cannot be built: {why}",
    remedy: "install a C compiler (`apt-get install gcc libc6-dev`), then `holdfast doctor --fix`",
  },
  "tool-missing": { exit: 14, retry: "changed", message: "the program {tool} is missing", remedy: "install it ({package})" },
  "vault-full": {
    exit: 14,
    retry: "changed",
    message: "there is no space left in {place}",
    remedy: "free some space; every point listed is as good as before",
  },
  "vault-unwritable": {
    exit: 14,
    retry: "changed",
    message: "the vault {path} cannot be written: {why}",
    remedy: "mount it for writing, or name another with HOLDFAST_VAULT",
  },
  "io-failed": {
    exit: 14,
    retry: "later",
    message: "{what} failed: {why}",
    remedy: "look at the disk and the mount; every point listed is as good as before",
  },
} as const satisfies Record<string, FaultRow>;

export type FaultCode = keyof typeof table;
