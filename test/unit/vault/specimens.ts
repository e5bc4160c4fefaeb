import type { Job, JobName } from "../../../src/domain/job.ts";
import type { Manifest } from "../../../src/domain/manifest.ts";
import type { Run } from "../../../src/domain/run.ts";

/** Whole, valid values to write into a vault. */
export const lj = "lj" as JobName;

export function aJob(name: JobName = lj, changes: Partial<Job> = {}): Job {
  return {
    name,
    createdAt: 1_000,
    origin: "launched",
    command: ["lmp", "-in", "in.lj"],
    cwd: "/work",
    env: { PATH: "/usr/bin" },
    user: null,
    limits: { nofile: "4096" },
    output: "/work/out",
    error: null,
    schedule: { type: "every", milliseconds: 600_000 },
    keep: "last=6",
    maxChain: 24,
    dedup: "exact",
    preDump: "auto",
    onCrash: "ask",
    exposureLimit: null,
    files: { include: [], exclude: ["*.tmp"], limitBytes: 1_000_000 },
    intent: "run",
    ...changes,
  };
}

export const root = { pid: 4711, startTicks: 99, bootId: "boot" };

export function aRun(number: number, changes: Partial<Run> = {}): Run {
  return {
    number,
    timeline: number,
    startedAt: 5,
    from: null,
    init: root,
    root,
    rootVpid: 2,
    endedAt: null,
    ending: null,
    ...changes,
  };
}

export function aManifest(number: number, changes: Partial<Omit<Manifest, "digests">> = {}): Omit<Manifest, "digests"> {
  return {
    format: 1,
    job: lj,
    number,
    id: `id-${number}`,
    timeline: 1,
    run: 1,
    kind: "base",
    parent: null,
    takenAt: 10 * number,
    sealedAt: 10 * number + 1,
    reason: "the first generation of a run is a base",
    tracking: "compare",
    freezeMicros: 1234,
    pages: { scanned: 10, written: 9, skipped: 1, kept: 8 },
    host: { bootId: "boot", kernel: "6.18", hostname: "node", criu: "4.2.1" },
    tree: { rootVpid: 2, highestPid: 3, processes: 1, residentBytes: 4096 },
    restoreOptions: ["--tcp-established"],
    findings: ["loopback TCP inside the tree"],
    capture: { files: [], folders: [], needed: [] },
    ...changes,
  };
}
