import type { IntervalRules } from "../domain/best-interval.ts";
import type { Capture } from "../domain/captured.ts";
import type { FoundImages } from "../domain/found-images.ts";
import type { Generation, GenerationState } from "../domain/generation.ts";
import type { ProcessorReading } from "../domain/generation-cost.ts";
import type { Head } from "../domain/head.ts";
import type { Job, JobName } from "../domain/job.ts";
import type { FileDigests, Manifest } from "../domain/manifest.ts";
import type { StagingPlace, StagingPlan } from "../domain/plan-staging.ts";
import type { PreDumpMode, PreDumpRound } from "../domain/pre-dump.ts";
import type { Beginning, Ending, ProcessIdentity, Run } from "../domain/run.ts";
import type { TreeFacts } from "../domain/tree.ts";

export type { Head };

/**
 * What the engine needs of the world. Adapters implement these; tests run one contract suite per port.
 * Longer than 250 lines because it is one contract, most of it comments, and read as a whole by whoever writes an adapter.
 * Every method may reject with a `Fault`; anything else that is thrown is a bug.
 */

export interface Clock {
  /** Wall clock, milliseconds since the epoch. */
  now(): number;
  /** Never goes back; milliseconds from an arbitrary start, the same one for all threads of the process. */
  monotonic(): number;
  sleep(milliseconds: number): Promise<void>;
  /** Calls `act` every so many milliseconds until the answer is called; keeps no process alive by itself. */
  repeat(milliseconds: number, act: () => void): () => void;
}

export interface Ids {
  /** 128 random bits, hex. */
  random(): string;
}

/** What happens while a verb runs. The core emits, the renderers speak. */
export interface Events {
  emit(event: EngineEvent): void;
}

export type EngineEvent =
  | { readonly type: "phase"; readonly verb: string; readonly job: string; readonly phase: string }
  | { readonly type: "progress"; readonly verb: string; readonly job: string; readonly bytes: number; readonly total: number }
  | { readonly type: "notice"; readonly job: string; readonly text: string };

/** The index. Everything in it can be rebuilt from the vault; a row is written only after the vault has it. */
export interface Catalogue {
  /** Another text than before if jobs, runs or generations may have been written meanwhile, by whomever; costs next to nothing. */
  changes(): Promise<string>;

  jobs(): Promise<readonly Job[]>;
  job(name: JobName): Promise<Job | null>;
  putJob(job: Job): Promise<void>;
  /** Forgets the job with its runs, generations and schedule. */
  removeJob(name: JobName): Promise<void>;

  runs(name: JobName): Promise<readonly Run[]>;
  newestRun(name: JobName): Promise<Run | null>;
  putRun(name: JobName, run: Run): Promise<void>;

  /** Oldest first, all states: rows of what has expired stay for ever, so these may be many times the others. */
  generations(name: JobName): Promise<readonly Generation[]>;
  /** The same without those that are `expired`. */
  unexpired(name: JobName): Promise<readonly Generation[]>;
  generation(name: JobName, number: number): Promise<Generation | null>;
  /** The newest that is a restore point if all directories are where they should be: nobody has asked the vault. */
  newestByRows(name: JobName): Promise<Generation | null>;
  putGeneration(generation: Generation): Promise<void>;
  removeGeneration(name: JobName, number: number): Promise<void>;
  markGeneration(name: JobName, number: number, mark: GenerationMark): Promise<void>;

  /** Failed and missed takes, newest first, at most `limit`. */
  attempts(name: JobName, limit: number): Promise<readonly Attempt[]>;
  /** Of the attempts that are kept: the newest that was made, and how many generations were missed in all. */
  attemptsInAll(name: JobName): Promise<{ readonly newestMade: Attempt | null; readonly missed: number }>;
  putAttempt(attempt: Attempt): Promise<void>;

  /** What was done after crashes, newest first, at most `limit`. Not in the vault: a rebuilt catalogue begins without. */
  recoveries(name: JobName, limit: number): Promise<readonly Recovery[]>;
  putRecovery(recovery: Recovery): Promise<void>;

  /** When the next generation of each job falls due; jobs without a schedule are not in it. */
  dues(): Promise<readonly Due[]>;
  /** Without `interval` the one that is there stays. */
  putDue(due: Omit<Due, "interval"> & { readonly interval?: number | null }): Promise<void>;

  /**
   * Takes the lease `name`, or tells who has it. One transaction: two processes cannot both succeed. An expired lease, and
   * one whose owner `isAlive` says is gone, is taken over. A refusal leaves a note with the holder: see `leaseWanted`.
   */
  acquireLease(lease: Lease, now: number, isAlive: (owner: ProcessIdentity) => boolean): Promise<LeaseAnswer>;
  /** Moves the expiry; false if the lease was lost. */
  renewLease(name: string, token: string, expiresAt: number): Promise<boolean>;
  /** True if somebody was refused this lease since it was taken: a holder that works at its leisure makes haste then. */
  leaseWanted(name: string, token: string): Promise<boolean>;
  releaseLease(name: string, token: string): Promise<void>;

  /** Throws every row away but the leases, which are about processes alive now, and writes these; one transaction. */
  replaceAll(content: CatalogueContent): Promise<void>;
  close(): Promise<void>;
}

export type GenerationMark = {
  readonly state?: GenerationState;
  readonly reason?: string;
  /** `null` takes the mark away: it came back and did not live. */
  readonly provenAt?: number | null;
  readonly provenMilliseconds?: number | null;
  readonly held?: boolean;
  /** Why it is held, in the user's words. */
  readonly note?: string;
};

/** `due`, `lastAttemptAt`: milliseconds since the epoch. */
export type Due = {
  readonly job: JobName;
  readonly due: number;
  readonly lastAttemptAt: number | null;
  /** What is planned now for a job whose schedule is `auto`, milliseconds; `null`: nothing yet, or the schedule is another. */
  readonly interval: number | null;
};

export type Attempt = {
  readonly job: JobName;
  readonly at: number;
  /** `missed`: the one before was still being taken, or the service was down. */
  readonly outcome: "took" | "failed" | "missed";
  /** The point's number for `took`. */
  readonly point: number | null;
  /** A fault's code and message for `failed`, the cause for `missed`. */
  readonly code: string | null;
  readonly message: string;
  /** How many generations were missed at once; 1 for the others. */
  readonly count: number;
};

/** One try to bring a job back that had vanished. */
export type Recovery = {
  readonly job: JobName;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** The point tried; `null`: there was none to try. */
  readonly point: number | null;
  readonly outcome: "restored" | "failed";
  /** The fault's, for `failed`. */
  readonly code: string | null;
  readonly message: string;
  /** Work lost: from the point to the moment the job was last known alive, milliseconds; `null` if that is not known. */
  readonly lostMilliseconds: number | null;
  /** How long the try took. */
  readonly milliseconds: number;
};

export type Lease = {
  /** `job:NAME` or `service`. */
  readonly name: string;
  /** Random: only who took it can renew or release it. */
  readonly token: string;
  readonly owner: ProcessIdentity;
  readonly verb: string;
  readonly expiresAt: number;
};

export type LeaseAnswer =
  | { readonly granted: true; readonly tookOver: Lease | null }
  | { readonly granted: false; readonly holder: Lease };

export type CatalogueContent = {
  readonly jobs: readonly Job[];
  readonly runs: readonly { readonly job: JobName; readonly run: Run }[];
  readonly generations: readonly Generation[];
};

/** What a person or a restore said of a generation after it was sealed; kept beside the sealed directories. */
export type Marks = Readonly<Record<string, GenerationMark>>;

/** The only room that touches generation directories and the vault's small files. Every write is synced, then renamed. */
export interface Vault {
  readonly path: string;
  jobNames(): Promise<readonly JobName[]>;
  readJob(name: JobName): Promise<Job | null>;
  writeJob(job: Job): Promise<void>;
  /** Deletes the job's folder and everything in it. */
  removeJob(name: JobName): Promise<void>;
  readHead(name: JobName): Promise<Head>;
  writeHead(name: JobName, head: Head): Promise<void>;
  readMarks(name: JobName): Promise<Marks>;
  writeMarks(name: JobName, marks: Marks): Promise<void>;
  runs(name: JobName): Promise<readonly Run[]>;
  writeRun(name: JobName, run: Run): Promise<void>;
  /** Folders of runs that were begun and never written down: what a crash in the middle of a launch or a restore leaves. */
  unfinishedRuns(
    name: JobName,
  ): Promise<readonly { readonly number: number; readonly folder: string; readonly undoFolder: string }[]>;
  /** What a restore is about to do, kept in its run's folder for good; `null` for a start, and where a crash came before it. */
  writeBeginning(name: JobName, number: number, beginning: Beginning): Promise<void>;
  readBeginning(name: JobName, number: number): Promise<Beginning | null>;
  /** Throws away the folder of a run that never came to life, with its undo folder; the files have been put back. */
  removeRunFolder(name: JobName, number: number): Promise<void>;
  /** A path in the job's folder of logs, made if need be; old logs there are thinned to the newest fifty. */
  logFile(name: JobName, file: string): Promise<string>;
  /** Where restore number `run` keeps what the files held just before it. */
  undoFolder(name: JobName, run: number): string;
  /** Makes the folder in which the init of run `number` writes its pids and the exit status. */
  runFolder(name: JobName, number: number): Promise<string>;
  /** The default place of a job's standard streams. */
  outputFolder(name: JobName): Promise<string>;

  /** Numbers of the sealed generations, ascending: those whose directory holds a manifest. */
  sealed(name: JobName): Promise<readonly number[]>;
  /** The manifest, checked against the key. Faults: `manifest-forged`, `vault-file-damaged`, `point-unknown`. */
  manifest(name: JobName, number: number): Promise<Manifest>;
  generationFolder(name: JobName, number: number): string;

  /** The staging place of the settings as it is now; `null`: dumps land in the vault. */
  stagingPlace(): Promise<StagingPlace | null>;
  /** Fresh empty folders for one dump: images in staging, unless `where` says in the vault; the generation in the making beside its sealed ones. */
  prepare(name: JobName, number: number, where?: StagingPlan["where"]): Promise<Making>;
  /**
   * Moves the dump from staging into the making, leaving out every page (private and shared) that equals what the chain of
   * `parent` resolves to; writes native CRIU increments. Without `parent` every present page is kept. Pages full of zeros: see {@link ZeroPages};
   * `kept` if nothing is said.
   */
  thin(
    making: Making,
    parent: number | null,
    onProgress: (bytes: number, total: number) => void,
    zeros?: ZeroPages,
  ): Promise<ThinReport>;
  /** A fresh empty folder for a pre-dump, the `round`th (from 1) for this making. A discard and a sweep take it away. */
  preDumpFolder(making: Making, round: number): Promise<string>;
  /**
   * Takes the pages that the dump left to `rounds` pre-dumps into the dump itself, so that it stands on `parent` alone, or on nothing. Gives the
   * making to be thinned; what is sealed is still the old one. Faults: `image-malformed`, `vault-full`.
   */
  foldPreDumps(making: Making, rounds: number, parent: number | null): Promise<Making>;
  /** Throws the pre-dumps of a making away; harmless twice. */
  dropPreDumps(making: Making): Promise<void>;
  /** As `thin`, but every page stays as CRIU wrote it: for a dump whose `--auto-dedup` has taken it out of the parents. */
  keep(making: Making, parent: number, onProgress: (bytes: number, total: number) => void): Promise<ThinReport>;
  /**
   * Writes down what `--auto-dedup` has left of a generation and of all it stands on, for the dump `by`: digests of the files as they
   * are now, the generation itself first. A crash in the middle leaves some that do not verify. Faults: `chain-broken`, those of `manifest`.
   */
  consume(name: JobName, number: number, by: number): Promise<void>;
  /**
   * Sync of every file and folder, the manifest last, one rename: after it the generation is there, before it it is not.
   * Faults: `vault-full`, `vault-unwritable`.
   */
  seal(making: Making, manifest: Omit<Manifest, "digests">, digests: FileDigests): Promise<{ readonly bytes: number }>;
  /** Throws a making and its staging away; harmless twice. */
  discard(making: Making): Promise<void>;
  /** Sweeps what dumps that never sealed left behind. Gives the folders' names. */
  sweepLeftovers(name: JobName): Promise<readonly string[]>;
  /** Deletes one sealed generation (dependents first is the caller's duty). */
  remove(name: JobName, number: number): Promise<void>;

  /**
   * Reads a generation and its whole chain back: every digest, every page resolved with exact lengths, links where they belong.
   * Gives the damage found, oldest generation first; empty means whole.
   */
  verifyChain(name: JobName, number: number, onProgress: (bytes: number, total: number) => void): Promise<readonly Damage[]>;
  /**
   * The same for several generations with all they stand on; a file is read once, however many stand on it. Links, lengths, pagemaps and
   * small images are always checked, and every page of `numbers` is resolved; of the bytes of pages and captured files `reading` picks a part.
   * `total` of `onProgress` is what will be read of all of them. Fault: `point-unknown`.
   */
  verifyChains(
    name: JobName,
    numbers: readonly number[],
    reading: Reading,
    onProgress: (bytes: number, total: number) => void,
    pace?: Pace,
  ): Promise<ReadBack>;
  /**
   * Rewrites a sealed generation so that it stands on `parent`, one of its ancestors, or on nothing (`null`: it becomes a base): pages that
   * it read from generations in between become its own. Every page keeps its bytes. Built aside, checked, synced, and switched in one step;
   * a crash leaves the old one or the new one. Its number and id stay. Faults: `chain-broken`, `point-damaged`, `vault-full`.
   */
  fold(
    name: JobName,
    number: number,
    parent: number | null,
    onProgress: (bytes: number, total: number) => void,
    pace?: Pace,
  ): Promise<{ readonly bytesMoved: number }>;
  /**
   * Drops from a sealed increment every page that equals the one its parents hold; what stands on it reads the same bytes as before. Built
   * aside and switched as a fold is. Faults: `chain-broken`, `point-damaged`, `vault-full`.
   */
  dedup(
    name: JobName,
    number: number,
    onProgress: (bytes: number, total: number) => void,
  ): Promise<{ readonly pagesDropped: number }>;
  /**
   * Packs a sealed generation into one file, compressed; its manifest says so and goes on naming each file that is in it. What was written is
   * read back before it takes the files' place, in one step; a crash leaves them, or the pack. One that is packed is left as it is. Every method
   * that only reads takes packed ones as they are; `thin`, `keep`, `consume` and `dedup` want their whole chain unpacked, `fold` the
   * generation and those it takes pages from. Faults: `point-damaged`, `vault-full`, `io-failed`.
   */
  pack(name: JobName, number: number, onProgress: (bytes: number, total: number) => void, pace?: Pace): Promise<void>;
  /** The way back, as crash-safe. One that is not packed is left as it is. Faults: `point-damaged`, `vault-full`. */
  unpack(name: JobName, number: number, onProgress: (bytes: number, total: number) => void, pace?: Pace): Promise<void>;
  /**
   * The folder of a generation as CRIU reads it, its captured files in it: {@link Vault.generationFolder}, or if something of its chain is packed a
   * folder beside, with all it stands on, each file checked on the way. Nothing sealed is changed. {@link Vault.sweepUnpacked} throws it away.
   * Faults: `chain-broken`, `point-damaged`, `vault-full`.
   */
  unpackAside(name: JobName, number: number, onProgress: (bytes: number, total: number) => void): Promise<string>;
  /** Throws away all such folders of a job, and gives their names; the holder of its lease knows that none but its own is read. */
  sweepUnpacked(name: JobName): Promise<readonly string[]>;
  /**
   * At most `most` pages of the processes' private memory, spread over all of it and chosen by `seed`, as the chain holds them. Left out: what
   * the job may not read itself, and what the kernel makes anew at a restore (vDSO). A packed chain is to be unpacked aside. Faults: `image-malformed`, `chain-broken`.
   */
  samplePages(name: JobName, number: number, most: number, seed: string): Promise<PageSample>;
  /** A fresh empty folder for a drill of this point, on the vault's disk; what an earlier one left there is thrown away. */
  drillFolder(name: JobName, number: number): Promise<string>;
  /** Folders of drills; the holder of the job's lease knows that none but its own is going on. */
  drillFolders(name: JobName): Promise<readonly string[]>;
  /** Throws such a folder away; harmless twice. */
  removeDrill(name: JobName, folder: string): Promise<void>;
  /** From the pagemaps alone. Faults: `image-malformed`, `chain-broken`, those of `manifest`. */
  pageUse(name: JobName, number: number): Promise<PageUse>;
  /** Image directories that others left in a folder, with those they stand on. Nothing is changed. Fault: `nothing-to-adopt`. */
  findImages(folder: string): Promise<readonly FoundImages[]>;
  /**
   * Copies such a directory, the first of `chain`, into the staging of a making, as if CRIU had just dumped it there on the one at place
   * `parent` of the chain (`chain.length`: on none); pages of those in between become its own. Faults: `image-malformed`, `vault-full`.
   */
  bringIn(making: Making, chain: readonly string[], parent: number): Promise<void>;
  /** Writes a standalone copy (no `parent`) into the empty folder `into`. */
  flatten(name: JobName, number: number, into: string): Promise<{ readonly bytes: number }>;
  /** Room left for the vault and for staging, in bytes. */
  freeSpace(): Promise<{ readonly vault: number; readonly staging: number }>;
}

/** Resolves when so many bytes may be read or written; awaited before each block. Without one: at once. */
export type Pace = (bytes: number) => Promise<void>;

/** Bytes of pages that a generation reads, by the number of the generation that holds them, itself included. */
export type PageUse = ReadonlyMap<number, number>;

export type Damage = { readonly number: number; readonly file: string; readonly why: string };

/** Whole files picked at random by `seed`, which make up at least `share` (0 to 1) of the bytes of pages and captured files. */
export type Reading = { readonly share: number; readonly seed: string };

export type ReadBack = {
  /** Oldest generation first; empty: no damage in what was looked at. */
  readonly damage: readonly Damage[];
  /** Of pages and captured files. */
  readonly read: { readonly files: number; readonly bytes: number };
  /** Pages and captured files that were not picked: there, as long as they should be, and with unknown content. Oldest generation first. */
  readonly unread: readonly { readonly number: number; readonly file: string; readonly bytes: number }[];
};

export type Making = {
  readonly job: JobName;
  readonly number: number;
  /** Where CRIU dumps to. */
  readonly staging: string;
  /** The directory that becomes the generation. */
  readonly folder: string;
};

/**
 * What becomes of pages full of zeros that a restore makes anew where they are not listed (plain anonymous memory, shared objects). A dump
 * that CRIU makes by the kernel's dirty bits needs to find each private page in its parent, so there they may be left out of shared objects only.
 */
export type ZeroPages = "left-out" | "left-out-of-shared" | "kept";

export type ThinReport = {
  readonly digests: FileDigests;
  /** Pages kept in this generation, and pages left to the parent by the compare. */
  readonly pagesKept: number;
  readonly pagesShared: number;
  /** Pages left out because they are full of zeros. */
  readonly pagesBlank: number;
  /** Of the dump's own pages and those of the parents they were compared with, and of what was only digested; pagemaps are not counted. */
  readonly bytesRead: number;
  /** What was moved by a rename is not written. */
  readonly bytesWritten: number;
  readonly highestPid: number;
  readonly processes: number;
};

/** The only room that starts criu. */
export interface Criu {
  /** Version and features of the CRIU in use. Faults: `criu-missing`, `criu-too-old`. Remembered within the process. */
  probe(): Promise<CriuFacts>;
  /**
   * One leave-running dump. `whileFrozen` runs inside the post-dump hook, tasks still stopped; if it rejects, the dump fails and the
   * job is thawed. Success is the verified one of criu-facts section 8: exit 0, stats-dump, inventory and pagemaps sound.
   * Faults: `dump-failed`, `dump-timeout`, `dump-incomplete`. After any of them the dirty bits are unknown.
   */
  dump(request: DumpRequest, whileFrozen: () => Promise<void>): Promise<DumpStats>;
  /**
   * One pre-dump: memory alone, the job stands still for a moment only. As with a dump, the dirty bits are unknown from its begin until a dump that
   * stands on it has succeeded. `failed`: the job is unharmed, and nothing may stand on it nor on what it stood on. Faults: `dump-timeout`,
   * `vault-full`, `busy`, `io-failed`.
   */
  preDump(request: PreDumpRequest): Promise<PreDumped>;
  /** The command that brings images back, for the launcher to run under a new init. */
  restoreWords(request: RestoreWordsRequest): Promise<readonly string[]>;
  /** True if a criu that an earlier process started is still at work for this job (its dump lock is held). */
  stillDumping(job: JobName): Promise<boolean>;
}

export type CriuFacts = {
  readonly version: string;
  /** The words to put before CRIU's own arguments: a loader with its library path, or just the program. */
  readonly command: readonly string[];
  readonly softDirty: boolean;
};

export type DumpRequest = {
  readonly job: JobName;
  readonly images: string;
  /** Keep CRIU's log here, also after a failure. */
  readonly log: string;
  /** The init whose namespaces CRIU enters; `null`: the host's. */
  readonly init: ProcessIdentity | null;
  readonly rootVpid: number;
  readonly options: readonly string[];
  /** `null`: no memory tracking. `parent`: path of the images to chain on, as the images folder sees it. */
  readonly track: { readonly parent: string | null } | null;
  readonly timeoutSeconds: number;
};

export type PreDumpRequest = Omit<DumpRequest, "track"> & {
  readonly mode: PreDumpMode;
  /** The images it stands on: a sealed generation's, an earlier pre-dump's; `null`: none. */
  readonly parent: string | null;
};

export type PreDumped =
  | { readonly type: "done"; readonly round: PreDumpRound }
  | { readonly type: "failed"; readonly why: string; readonly log: string };

export type RestoreWordsRequest = {
  readonly images: string;
  readonly runFolder: string;
  /** Where CRIU writes the root's pid, as the new namespace numbers it. */
  readonly pidfile: string;
  readonly log: string;
  /** Those of the manifest: what was given at the dump must be given again. */
  readonly options: readonly string[];
};

/** CRIU's stats-dump: times in microseconds, pages of 4 KiB, private and shared added up. */
export type DumpStats = {
  readonly freezeMicros: number;
  readonly memdumpMicros: number;
  readonly memwriteMicros: number;
  readonly pagesScanned: number;
  readonly pagesSkipped: number;
  readonly pagesWritten: number;
};

/** `/proc` and signals. */
export interface Processes {
  self(): ProcessIdentity;
  /** The identity of a live process, as the host sees it; `null` if there is none (a zombie counts as none). */
  identify(pid: number): Promise<ProcessIdentity | null>;
  /** Synchronous: it is asked inside a catalogue transaction. */
  isAlive(identity: ProcessIdentity): boolean;
  /** Faults: `pid-unknown`, `pid-kernel-thread`, `pid-self`. */
  inspect(root: ProcessIdentity, init: ProcessIdentity | null): Promise<TreeFacts>;
  /** Sends the signal if the identity still holds; false if the process is gone. */
  signal(identity: ProcessIdentity, signal: "SIGTERM" | "SIGKILL" | "SIGCONT"): boolean;
}

/** Starts runs and brings them back, always under an init of their own. */
export interface Launcher {
  /** Faults: `launch-failed`, `compiler-missing`. */
  launch(request: LaunchRequest): Promise<Launched>;
  /** Faults: `restore-failed`, `restore-raced`, `restore-timeout`. On a fault nothing of the job is left running. */
  bringBack(request: BringBackRequest): Promise<Launched>;
  /** The live run whose init writes to this folder; `null` if there is none. For a launch that was never written down. */
  find(runFolder: string): Promise<Launched | null>;
  /** Ends whatever a launch or a restore with this folder has made, begun or running, and waits until it is gone. Harmless twice. */
  abandon(runFolder: string): Promise<void>;
  /** What the init wrote at the end; `null` if it wrote nothing. */
  ending(runFolder: string): Promise<Ending | null>;
  /** When it wrote that, milliseconds since the epoch. */
  endedAt(runFolder: string): Promise<number | null>;
}

export type LaunchRequest = {
  readonly job: Job;
  readonly runFolder: string;
};

export type BringBackRequest = {
  readonly job: JobName;
  readonly point: number;
  readonly runFolder: string;
  /** The CRIU command, from {@link Criu.restoreWords}, and the file it writes the root's pid to. */
  readonly words: readonly string[];
  readonly pidfile: string;
  /** The highest pid in the images: CRIU's own must keep clear of it, and the job's later ones begin above it. */
  readonly highestPid: number;
  /** Keep CRIU's log here; it stays when the run folder does not. */
  readonly log: string;
  readonly timeoutSeconds: number;
  /** For a drill: the folder with the view that the init enters ({@link Isolation}). CRIU then waits before the job runs. */
  readonly view?: string;
};

export type Launched = { readonly init: ProcessIdentity; readonly root: ProcessIdentity; readonly rootVpid: number };

/** Brings points back where they can touch nothing: a drill. */
export interface Isolation {
  /**
   * Makes private copies of the point's files below `folder`, an empty one of its own, and restores the point over them in namespaces of its
   * own, at idle priority. `whileStopped` is called when all its processes stand as they were and none has run yet; what it answers is what
   * happens to them then (`end`: the answer is `null`). If it rejects, all are ended. A crash leaves `folder` and perhaps the processes:
   * {@link Launcher.abandon} ends them. Faults: `restore-failed`, `restore-timeout`, `drill-refused`, `file-changed`, `space-short`.
   */
  bringBack(request: IsolationRequest, whileStopped: (isolated: Isolated) => Promise<"resume" | "end">): Promise<Launched | null>;
}

export type IsolationRequest = {
  readonly folder: string;
  readonly capture: Capture;
  readonly generationFolder: string;
  /** As for {@link Files.putBack}. */
  readonly laterUndo: readonly string[];
  /** `runFolder` is `folder`/run; the pidfile and CRIU's log lie in it. */
  readonly restore: BringBackRequest;
  /** Where CRIU's log is copied to at the end. */
  readonly keepLog: string;
};

export type Isolated = {
  /** Places of the file system under private copies, and those that could only be made read-only: what a job writes there fails. */
  readonly copied: readonly string[];
  readonly readOnly: readonly string[];
  /** Those of `pages` that are not in the memory of the stopped processes as they should be. */
  differences(pages: readonly SampledPage[]): Promise<readonly SampledPage[]>;
};

/** One page of a process's private memory, as a chain holds it. */
export type SampledPage = {
  readonly vpid: number;
  /** Number of the 4 KiB page. */
  readonly page: number;
  readonly bytes: Uint8Array;
  /** Bytes of it that the kernel itself writes, and that no restore can keep: from, and up to. */
  readonly unsteady: readonly { readonly from: number; readonly to: number }[];
};

/** `pages`: the sample; `total`: how many it was taken from. */
export type PageSample = { readonly pages: readonly SampledPage[]; readonly total: number };

/** Files a job writes: captured inside the freeze, put back before a restore. */
export interface Files {
  /**
   * Called with all tasks stopped. Copies into `folder`/files; lengths and names as they are now. Syncs nothing (that is `settle`'s).
   * `earlier`: the parent's capture, to copy nothing again that has not changed. `ahead`: what was copied before the freeze, to be taken
   * where the file is the same to the byte, and else made what the file is now.
   */
  capture(
    tree: TreeFacts,
    rules: Job["files"],
    folder: string,
    earlier: Capture | null,
    ahead?: CopiesAhead | null,
  ): Promise<Capture>;
  /**
   * Called while the job runs: copies into `folder` what a capture of this tree would have to copy whole. `lookedAt`: milliseconds since the
   * epoch, before the tree was looked at. A crash leaves files in `folder`, which go with it. Faults: `vault-full`, `vault-unwritable`.
   */
  copyAhead(tree: TreeFacts, lookedAt: number, rules: Job["files"], folder: string): Promise<CopiesAhead>;
  /**
   * After the thaw: syncs captured lengths and copies, digests the needed files, fills in tails. Gives the capture as the
   * manifest will carry it, and the digests of the stored copies.
   */
  settle(
    capture: Capture,
    folder: string,
    earlier: Capture | null,
  ): Promise<{ readonly capture: Capture; readonly digests: FileDigests }>;
  /** What putting back would meet; throws the first `file-changed`, `file-unrestorable` or `space-short`. Changes nothing. */
  preflight(capture: Capture, point: number, generationFolder: string, laterUndo?: readonly string[]): Promise<void>;
  /**
   * Copies what is there now into `undoFolder` (synced, with a list of its own), then puts the point's files back.
   * `laterUndo`: undo folders of the restores since the point's timeline ended, newest first: what they cut off files that are only
   * appended to is put back from there. If it rejects, what was changed has been undone.
   */
  putBack(capture: Capture, generationFolder: string, undoFolder: string, laterUndo?: readonly string[]): Promise<PutBackReport>;
  /** Makes everything as it was before `putBack`, from the undo folder alone. Harmless twice. */
  undo(undoFolder: string): Promise<void>;
}

/** Copies made before the freeze, known to the adapter that made them alone. */
export type CopiesAhead = {
  /** Throws away what no capture has taken; harmless twice. */
  close(): Promise<void>;
};

export type PutBackReport = {
  readonly files: readonly { readonly path: string; readonly done: "cut" | "rewritten" | "created" | "unchanged" }[];
  readonly undoFolder: string;
  readonly undoBytes: number;
};

/** Tells the outside what happened, by the command the settings name for the event. */
export interface Notices {
  /** Resolves when the command has been started, at once if there is none. Never rejects: a hook that fails is a line in the log. */
  tell(notice: Notice): Promise<void>;
}

export type Notice = {
  readonly event: NoticeEvent;
  readonly job: JobName;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly point: number | null;
  /** A fault's code, if there was one. */
  readonly code: string | null;
  readonly message: string;
};

export type NoticeEvent = "took" | "missed" | "failed" | "crashed" | "restored" | "damaged" | "exposure-over";

/** Facts of the machine that go into a manifest. */
export interface Host {
  kernel(): string;
  hostname(): string;
  bootId(): string;
  isRoot(): boolean;
  /** What the kernel could give to new programs now, in bytes. */
  availableMemory(): number;
  /** How busy the machine, and this process with all its threads, have been up to now. */
  processor(): ProcessorReading;
}

/** Everything a verb may touch, and what the settings say of it. */
export type Ports = {
  readonly catalogue: Catalogue;
  readonly vault: Vault;
  readonly criu: Criu;
  readonly processes: Processes;
  readonly launcher: Launcher;
  readonly isolation: Isolation;
  readonly files: Files;
  readonly host: Host;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly events: Events;
  readonly notices: Notices;
  readonly limits: {
    readonly dumpTimeoutSeconds: number;
    readonly restoreTimeoutSeconds: number;
    readonly stopSeconds: number;
    readonly minFreeBytes: number;
    /** How long to wait for a job's lease while its holder can be waited for; none: as long as it takes. */
    readonly leaseMilliseconds?: number;
  };
  /** For jobs whose schedule is `auto`. */
  readonly interval: IntervalRules;
};
