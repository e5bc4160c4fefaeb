import type { DumpRequest, PreDumpRequest, RestoreWordsRequest } from "../engine/ports.ts";

/** Status of `flock` when another criu of this job holds the lock. */
export const lockedStatus = 75;

export type DumpWords = {
  readonly criu: readonly string[];
  readonly hook: string;
  readonly lock: string;
};

export type RestoreWords = { readonly criu: readonly string[]; readonly hook: string; readonly knowsProcessor: boolean };

/**
 * The whole command of one dump: `flock` around `nice` around `nsenter` around CRIU.
 *
 * The lock's descriptor is inherited down to CRIU, so it is held as long as CRIU lives, whoever else dies. Asking whether it is held
 * takes it for a moment, so a second is waited for it. `--no-default-config` shields from the machine's own CRIU settings;
 * `--manage-cgroups=ignore` leaves groups to systemd or Slurm, which place the job.
 */
export function dumpWords(request: DumpRequest, words: DumpWords): readonly string[] {
  return [
    lockedInside(request, words.lock, haste),
    words.criu,
    ["dump", "--no-default-config", "-t", String(request.rootVpid), "-D", request.images, "-R"],
    ["-v4", "-o", request.log, "--action-script", words.hook],
    ["--manage-cgroups=ignore", "--cpu-cap=ins,fpu"],
    request.track ? ["--track-mem"] : [],
    request.track?.parent ? ["--prev-images-dir", request.track.parent] : [],
    request.options,
  ].flat();
}

/** The same of one pre-dump. It asks nothing of what is outside the memory, so it needs none of the tree's options, and has no hook. */
export function preDumpWords(request: PreDumpRequest, words: Omit<DumpWords, "hook">): readonly string[] {
  return [
    lockedInside(request, words.lock, []),
    words.criu,
    ["pre-dump", "--no-default-config", "-t", String(request.rootVpid), "-D", request.images],
    ["-v4", "-o", request.log, "--manage-cgroups=ignore", "--track-mem", "--pre-dump-mode", request.mode],
    request.parent === null ? [] : ["--prev-images-dir", request.parent],
    request.options,
  ].flat();
}

/**
 * The job stands still for as long as CRIU works, and what others on this machine get less of meanwhile the job's processes do not use either.
 * Without the right to it `nice` says so and goes on.
 */
const haste = ["nice", "-n", "-10"];

function lockedInside({ init }: Pick<DumpRequest, "init">, lock: string, before: readonly string[]): readonly string[] {
  const enter = init ? ["nsenter", "-t", String(init.pid), "-p", "-m", "--"] : [];
  return ["flock", "--timeout", "1", "--conflict-exit-code", String(lockedStatus), lock, ...before, ...enter];
}

/**
 * The words that bring a point back as a sibling of CRIU (ADR 2): the init that runs them becomes the job's parent. The same
 * `--manage-cgroups` and `--cpu-cap` as at the dump: CRIU then refuses a processor that lacks what the job may be using. Images made by hand
 * say nothing of the processor (`knowsProcessor`), and asked about it CRIU would refuse them.
 */
export function restoreWords(request: RestoreWordsRequest, words: RestoreWords): readonly string[] {
  return [
    words.criu,
    ["restore", "--no-default-config", "-d", "-S", "-D", request.images, "-W", request.runFolder, "-v4", "-o", request.log],
    ["--pidfile", request.pidfile, "--action-script", words.hook, "--manage-cgroups=ignore"],
    words.knowsProcessor ? ["--cpu-cap=ins,fpu"] : [],
    request.options,
  ].flat();
}
