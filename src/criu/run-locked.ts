import { mkdir, open, readdir, readFile, rm } from "node:fs/promises";
import path from "node:path";
import { execa } from "execa";
import type { DumpRequest } from "../engine/ports.ts";
import { Fault } from "../faults/fault.ts";
import { lockedStatus } from "./arguments.ts";
import { endDump } from "./end-dump.ts";
import { fullPlace, fullOr } from "./full-place.ts";
import { openHookDoor, type HookOutcome } from "./hook-door.ts";
import { jobProcesses, thaw } from "./job-processes.ts";
import { isLocked, lockFile, makeLockFolder } from "./lock.ts";
import { isUnfit } from "./log-table.ts";
import { explain, readTroubles, translate } from "./log.ts";
import { plainEnvironment } from "./run.ts";

/** What a dump needs of its surroundings. */
export type DumpSetting = {
  readonly criu: readonly string[];
  /** The action script: the init program under the name `holdfast-hook`. */
  readonly hook: string;
  readonly lockFolder: string;
  /** Folders to put the hook's socket in, best first. */
  readonly socketFolders: readonly string[];
};

/** The parts of a request that a dump and a pre-dump share. */
export type Request = Omit<DumpRequest, "track">;

/**
 * Runs CRIU on a job under the job's lock, to its end. The images folder must be fresh and empty, because CRIU silently keeps a `parent` link it
 * finds there. Resolves if CRIU ended with 0, which proves nothing yet. When it rejects, CRIU has ended, no process of the job stands still, and
 * the log is at `request.log`. `whileFrozen` is not waited for if the time is up while it runs. Faults: those of a dump but `dump-incomplete`.
 */
export async function runLocked(
  setting: DumpSetting,
  request: Request,
  wordsFor: (lock: string) => readonly string[],
  whileFrozen: () => Promise<void>,
): Promise<HookOutcome> {
  await requireEmpty(request.images);
  await makeLockFolder(setting.lockFolder).catch(ioFailed(`making ${setting.lockFolder}`));
  const lock = lockFile(setting.lockFolder, request.job);
  // Asked here too, before the log of the one that runs could be touched.
  if (await isLocked(lock)) throw otherDump(request);
  await mkdir(path.dirname(request.log), { recursive: true }).catch(ioFailed(`making the folder of ${request.log}`));
  await rm(request.log, { force: true }).catch(ioFailed(`removing ${request.log}`));
  const list = () => jobProcesses(request.init?.pid ?? null, request.rootVpid);
  const stoppedBefore = new Set((await list()).filter(({ state }) => state === "T").map(({ pid }) => pid));
  const door = await openHookDoor(setting.socketFolders, whileFrozen);
  let end: End;
  try {
    end = await runToEnd(wordsFor(lock), request, lock, door.path);
  } finally {
    await door.close();
  }
  if (end.status === 0) return door.outcome();
  // The other criu's freeze is none of ours to end.
  if (end.status === lockedStatus) throw otherDump(request);
  const still = await thaw(list, stoppedBefore);
  throw await faultOf(request, end, door.outcome(), still);
}

type End = {
  /** `null`: ended by a signal, or never started. */
  readonly status: number | null;
  readonly timedOut: boolean;
  /** False if CRIU could not be ended. */
  readonly ended: boolean;
  /** What was said on standard error: by a loader, by nsenter, or by CRIU before its log was open. */
  readonly said: string;
  readonly missing: boolean;
};

async function runToEnd(words: readonly string[], request: Request, lock: string, hook: string): Promise<End> {
  const [file = "", ...rest] = words;
  const saidFile = `${request.log}.stderr`;
  // A file, not a pipe: a reader that stalls would stall CRIU inside the freeze, and CRIU must outlive this process whole.
  const stderr = await open(saidFile, "w", 0o600).catch(ioFailed(`writing ${saidFile}`));
  let timedOut = false;
  let ended: Promise<boolean> | null = null;
  try {
    const child = execa(file, rest, {
      detached: true,
      cleanup: false,
      // execa passes any descriptor on; its types name only the first ones.
      stdio: ["ignore", "ignore", stderr.fd as 3],
      buffer: false,
      reject: false,
      forceKillAfterDelay: false,
      extendEnv: false,
      env: { ...plainEnvironment, HOLDFAST_HOOK: hook },
      cwd: "/",
    });
    const { pid } = child;
    const timer = setTimeout(() => {
      timedOut = true;
      if (pid !== undefined) ended = endDump(pid, lock);
    }, request.timeoutSeconds * 1000);
    const done = await child;
    clearTimeout(timer);
    const status = timedOut ? null : (done.exitCode ?? null);
    // flock may have been killed alone: CRIU goes on without it.
    if (status !== 0 && status !== lockedStatus && pid !== undefined) ended ??= endDump(pid, lock);
    return {
      status,
      timedOut,
      ended: (await ended) ?? true,
      said: (await readFile(saidFile, "utf8")).trim(),
      missing: done.code === "ENOENT",
    };
  } finally {
    await stderr.close();
    await rm(saidFile, { force: true });
  }
}

async function faultOf(request: Request, end: End, hook: HookOutcome, still: readonly number[]): Promise<Fault> {
  const { job, log } = request;
  if (end.missing) return Fault.of("tool-missing", { tool: "flock", package: "util-linux" });
  const after = [
    ...(end.ended ? [] : ["; that CRIU could not be ended, even by SIGKILL"]),
    ...(still.length > 0 ? [`; still stopped: process ${still.join(", ")}`] : []),
  ].join("");
  if (end.timedOut) return Fault.of("dump-timeout", { job, seconds: `${request.timeoutSeconds}${after}`, log });
  // What went wrong in the capture may have a name of its own: a full vault, a file that cannot be read.
  if (hook.type === "rejected" && hook.error instanceof Fault) return hook.error;
  if (hook.type === "rejected") {
    const why = `its files could not be captured: ${message(hook.error)}${after}`;
    return Fault.of("dump-failed", { job, why, log }, { cause: hook.error });
  }
  const troubles = await readTroubles(log);
  const full = await fullPlace(request, troubles);
  if (full !== null) return Fault.of("vault-full", { place: full }, { cause: troubles });
  const why = troubles === "" ? withoutLog(end) : explain(troubles);
  if (isUnfit(troubles)) return Fault.of("parent-unfit", { job, why, log });
  return Fault.of("dump-failed", { job, why: why + after, log });
}

function withoutLog(end: End): string {
  if (translate(end.said)) return explain(end.said);
  const [first = ""] = end.said.split("\n");
  if (first !== "") return first;
  return end.status === null || end.status > 128 ? "CRIU was killed" : `it ended with status ${end.status} and said nothing`;
}

function otherDump(request: Request): Fault {
  return Fault.of("busy", { owner: "a criu process", job: request.job, verb: "dump" });
}

async function requireEmpty(images: string): Promise<void> {
  const names = await readdir(images);
  if (names.length > 0) throw new Error(`the images folder ${images} is not empty: ${names.slice(0, 3).join(", ")}`);
}

function ioFailed(what: string): (error: unknown) => never {
  return (error) => {
    throw fullOr(error, Fault.of("io-failed", { what, why: message(error) }, { cause: error }));
  };
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
