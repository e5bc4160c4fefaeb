import path from "node:path";
import type { JobName } from "../domain/job.ts";

/** The manifest's name in a generation directory: its presence in `generations/N` is the seal. */
export const MANIFEST = "holdfast.json";

/** All else of a packed generation, in one file beside its manifest: a tar archive, compressed by zstd. */
export const PACK = "pack.tar.zst";

/** A folder with it is a job's. */
export const JOB = "job.json";

/** Where everything lies; the layout is described in `docs/reference/vault-format.md`. Makes nothing. */
export type VaultPaths = ReturnType<typeof vaultPaths>;

export function vaultPaths(root: string, stagingRoot: string | null, keyFile: string | null) {
  const job = (name: JobName): string => path.join(root, "jobs", folderName(name));
  const runs = (name: JobName): string => path.join(job(name), "runs");
  const generations = (name: JobName): string => path.join(job(name), "generations");
  return {
    root,
    identity: path.join(root, "holdfast-vault.json"),
    key: keyFile ?? path.join(root, "key"),
    jobs: path.join(root, "jobs"),
    job,
    jobFile: (name: JobName): string => path.join(job(name), JOB),
    headFile: (name: JobName): string => path.join(job(name), "head.json"),
    marksFile: (name: JobName): string => path.join(job(name), "marks.json"),
    runs,
    run: (name: JobName, number: number): string => path.join(runs(name), String(number)),
    runFile: (name: JobName, number: number): string => path.join(runs(name), String(number), "run.json"),
    beginningFile: (name: JobName, number: number): string => path.join(runs(name), String(number), "begun.json"),
    output: (name: JobName): string => path.join(job(name), "output"),
    logs: (name: JobName): string => path.join(job(name), "logs"),
    undo: (name: JobName, run: number): string => path.join(job(name), "undo", String(run)),
    /** What a drill puts in place of the files, thrown away when it is over. */
    drill: (name: JobName, number: number): string => path.join(job(name), `.drill-${number}`),
    /** A point unpacked with all it stands on, for as long as somebody reads it. */
    unpacked: (name: JobName, number: number): string => path.join(job(name), `.unpacked-${number}`),
    generations,
    generation: (name: JobName, number: number): string => path.join(generations(name), String(number)),
    making: (name: JobName, number: number): string => path.join(generations(name), `.making-${number}`),
    /** A pre-dump of a generation in the making; round 0: the dump with its pre-dumps folded in. */
    preDump: (name: JobName, number: number, round: number): string => path.join(generations(name), `.pre-${number}-${round}`),
    /** A generation rewritten, on its way into the old one's place, and where two renames put the old one meanwhile. */
    folding: (name: JobName, number: number): string => path.join(generations(name), `.folding-${number}`),
    old: (name: JobName, number: number): string => path.join(generations(name), `.old-${number}`),
    gone: (name: JobName, number: number): string => path.join(generations(name), `.gone-${number}`),
    /** The folder that holds the staging folders, and what this vault's staging folders there begin with. */
    stagings: (vaultId: string, where: "staging" | "vault" = "staging"): { readonly folder: string; readonly prefix: string } =>
      stagingRoot === null || where === "vault"
        ? { folder: path.join(root, ".staging"), prefix: "" }
        : { folder: stagingRoot, prefix: `holdfast-${vaultId}-` },
  };
}

/** The number a folder's name stands for; `null` if it is no number of ours. */
export function numberOf(name: string): number | null {
  return /^[1-9]\d{0,14}$/.test(name) ? Number(name) : null;
}

/** Could this folder be a job's? Names are checked when a job is made; this keeps stray folders out. */
export function isJobFolder(name: string): name is JobName {
  return /^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$/.test(name);
}

function folderName(name: JobName): string {
  if (!isJobFolder(name)) throw new Error(`not a job's name: ${JSON.stringify(name)}`);
  return name;
}
