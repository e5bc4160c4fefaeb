import path from "node:path";
import type { Vault } from "../engine/ports.ts";
import type { Random } from "./atomic.ts";
import type { Disk } from "./disk.ts";
import { readFault, writeFault } from "./disk-fault.ts";
import { freeSpace } from "./free-space.ts";
import { generationManifest, removeGeneration, sealedNumbers } from "./generation-files.ts";
import { ensureVault, readIdentity, readKey, type VaultIdentity } from "./identity.ts";
import * as jobs from "./job-files.ts";
import { logFile } from "./log-files.ts";
import { machineDisk } from "./machine-disk.ts";
import { discard, prepare, sweepLeftovers } from "./making.ts";
import { vaultPaths } from "./paths.ts";
import type { Room } from "./room.ts";
import { makeRunFolder, readRuns, removeRunFolder, unfinishedRuns, writeRun } from "./run-files.ts";
import { ensureFolder } from "./atomic.ts";
import { seal } from "./seal.ts";

export type VaultOptions = {
  readonly path: string;
  /** Where dumps land first; `null`: inside the vault. */
  readonly stagingPath: string | null;
  /** The host's key; `null`: inside the vault. */
  readonly keyPath: string | null;
  readonly random: Random;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
};

/**
 * The vault at a path. Opening reads only: a vault that is not there is an empty one, and is made by the first write; reading
 * works on a read-only mount. Faults at opening: `vault-newer`, `vault-file-damaged`, `vault-unwritable` if the path is no folder.
 */
export async function openVault(options: VaultOptions, disk: Disk = machineDisk): Promise<Vault> {
  const staging = options.stagingPath === null ? null : path.resolve(options.stagingPath);
  const root = path.resolve(options.path);
  const paths = vaultPaths(root, staging, options.keyPath === null ? null : path.resolve(options.keyPath));
  const room: Room = { disk, paths, random: options.random, now: options.now };

  let made: VaultIdentity | null = null;
  let knownKey: Buffer | null = null;
  const key = async (): Promise<Buffer> => (knownKey ??= await readKey(room));

  async function read<T>(what: string, act: () => Promise<T>): Promise<T> {
    return act().catch((error: unknown) => {
      throw readFault(error, what);
    });
  }

  async function write<T>(what: string, act: (vault: VaultIdentity) => Promise<T>): Promise<T> {
    try {
      made ??= await ensureVault(room);
      return await act(made);
    } catch (error) {
      throw writeFault(error, what, { vault: root, staging });
    }
  }

  await read(`reading the vault ${root}`, () => readIdentity(room));

  return {
    path: root,
    jobNames: () => read("listing the jobs", () => jobs.jobNames(room)),
    readJob: (name) => read(`reading the job ${name}`, () => jobs.readJob(room, name)),
    writeJob: (job) => write(`writing the job ${job.name}`, () => jobs.writeJob(room, job)),
    removeJob: (name) => write(`removing the job ${name}`, () => jobs.removeJob(room, name)),
    readHead: (name) => read(`reading the head of ${name}`, () => jobs.readHead(room, name)),
    writeHead: (name, head) => write(`writing the head of ${name}`, () => jobs.writeHead(room, name, head)),
    readMarks: (name) => read(`reading the marks of ${name}`, () => jobs.readMarks(room, name)),
    writeMarks: (name, marks) => write(`writing the marks of ${name}`, () => jobs.writeMarks(room, name, marks)),

    runs: (name) => read(`reading the runs of ${name}`, () => readRuns(room, name)),
    writeRun: (name, run) => write(`writing run ${run.number} of ${name}`, () => writeRun(room, name, run)),
    unfinishedRuns: (name) => read(`reading the runs of ${name}`, () => unfinishedRuns(room, name)),
    removeRunFolder: (name, number) => write(`removing run ${number} of ${name}`, () => removeRunFolder(room, name, number)),
    runFolder: (name, number) => write(`making the folder of run ${number} of ${name}`, () => makeRunFolder(room, name, number)),
    undoFolder: (name, run) => paths.undo(name, run),
    logFile: (name, file) => write(`making room for a log of ${name}`, () => logFile(room, name, file)),
    outputFolder: (name) =>
      write(`making the output folder of ${name}`, async () => {
        await ensureFolder(disk, root, paths.output(name));
        return paths.output(name);
      }),

    sealed: (name) => read(`listing the points of ${name}`, () => sealedNumbers(room, name)),
    manifest: (name, number) =>
      read(`reading the manifest of point ${number} of ${name}`, async () => generationManifest(room, await key(), name, number)),
    generationFolder: (name, number) => paths.generation(name, number),

    prepare: (name, number) => write(`preparing point ${number} of ${name}`, (vault) => prepare(room, vault, name, number)),
    seal: (making, manifest, digests) =>
      write(`sealing point ${making.number} of ${making.job}`, async () => seal(room, await key(), making, manifest, digests)),
    discard: (making) => write(`discarding point ${making.number} of ${making.job}`, () => discard(room, making)),
    sweepLeftovers: (name) => write(`sweeping ${name}`, (vault) => sweepLeftovers(room, vault, name)),
    remove: (name, number) => write(`removing point ${number} of ${name}`, () => removeGeneration(room, name, number)),
    freeSpace: () => read("asking for free space", async () => ({ vault: await freeSpace(root), staging: await freeSpace(staging ?? root) })),
  };
}
