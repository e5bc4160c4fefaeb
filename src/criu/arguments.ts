import type { DumpRequest, RestoreWordsRequest } from "../engine/ports.ts";

/** Status of `flock` when another criu of this job holds the lock. */
export const lockedStatus = 75;

export type DumpWords = {
  readonly criu: readonly string[];
  readonly hook: string;
  readonly lock: string;
};

export type RestoreWords = { readonly criu: readonly string[]; readonly hook: string; readonly knowsProcessor: boolean };

/**
 * The whole command of one dump: `flock` around `nsenter` around CRIU.
 *
 * The lock's descriptor is inherited down to CRIU, so it is held as long as CRIU lives, whoever else dies. Asking whether it is held
 * takes it for a moment, so a second is waited for it. `--no-default-config` shields from the machine's own CRIU settings;
 * `--manage-cgroups=ignore` leaves groups to systemd or Slurm, which place the job.
 */
export function dumpWords(request: DumpRequest, words: DumpWords): readonly string[] {
  const enter = request.init ? ["nsenter", "-t", String(request.init.pid), "-p", "-m", "--"] : [];
  return [
    ["flock", "--timeout", "1", "--conflict-exit-code", String(lockedStatus), words.lock],
    enter,
    words.criu,
    ["dump", "--no-default-config", "-t", String(request.rootVpid), "-D", request.images, "-R"],
    ["-v4", "-o", request.log, "--action-script", words.hook],
    ["--manage-cgroups=ignore", "--cpu-cap=ins,fpu"],
    request.track ? ["--track-mem"] : [],
    request.track?.parent ? ["--prev-images-dir", request.track.parent] : [],
    request.options,
  ].flat();
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
