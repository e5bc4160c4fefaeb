import path from "node:path";
import type { Vault } from "../engine/ports.ts";
import { Fault } from "../faults/fault.ts";
import { ensureFolder, type Random } from "./atomic.ts";
import { chainOf } from "./chain.ts";
import type { Disk } from "./disk.ts";
import { readFault, writeFault } from "./disk-fault.ts";
import type { Holes } from "./holes.ts";
import { freeSpace, stagingPlace } from "./free-space.ts";
import { generationManifest, removeGeneration, sealedNumbers } from "./generation-files.ts";
import { ensureVault, readIdentity, readOwnKey, type VaultIdentity } from "./identity.ts";
import * as jobs from "./job-files.ts";
import { logFile } from "./log-files.ts";
import { type Exchange, machineDisk } from "./machine-disk.ts";
import { drillFolders, makeDrillFolder, removeDrill } from "./drill-folders.ts";
import { discard, prepare, sweepLeftovers } from "./making.ts";
import { vaultPaths } from "./paths.ts";
import type { Room } from "./room.ts";
import { makeRunFolder, readBeginning, readRuns, removeRunFolder, unfinishedRuns, writeBeginning, writeRun } from "./run-files.ts";
import {
  bringIn,
  consume,
  dedup,
  dropPreDumps,
  exportFolder,
  findImages,
  fold,
  foldPreDumps,
  foldersNow,
  makePreDumpFolder,
  pack,
  pageUse,
  samplePages,
  seal,
  sweepUnpacked,
  thin,
  unpack,
  unpackAside,
  verifyChains,
} from "./when-asked.ts";

export type VaultOptions = {
  readonly path: string;
  /** Where dumps land first; `null`: inside the vault. */
  readonly stagingPath: string | null;
  /** The host's key; `null`: inside the vault. */
  readonly keyPath: string | null;
  readonly random: Random;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Without it a fold takes two renames to switch generations, and a crash between them waits for the next sweep. */
  readonly exchange?: Exchange;
  /** Without it no images of others can be looked at. */
  readonly holes?: Holes;
};

/**
 * The vault at a path. Opening reads only: a vault that is not there is an empty one, and is made by the first write; reading
 * works on a read-only mount. Faults at opening: `vault-newer`, `vault-file-damaged`, `vault-unwritable` if the path is no folder.
 */
export async function openVault(options: VaultOptions, disk: Disk = machineDisk(options.exchange ?? null)): Promise<Vault> {
  const staging = options.stagingPath === null ? null : path.resolve(options.stagingPath);
  const root = path.resolve(options.path);
  const paths = vaultPaths(root, staging, options.keyPath === null ? null : path.resolve(options.keyPath));
  const room: Room = { disk, paths, random: options.random, now: options.now };

  let seen: VaultIdentity | null = null;
  let isReady = false;
  let knownKey: Buffer | null = null;
  const key = async (): Promise<Buffer> => (knownKey ??= await readOwnKey(room));

  /** A vault that was seen must stay the same one: under the mount point of a disk that went away lies an empty folder. */
  async function look(): Promise<VaultIdentity | null> {
    const found = await readIdentity(room);
    if (seen !== null && found?.id !== seen.id) {
      throw Fault.of("io-failed", { what: `looking for the vault ${root}`, why: "it is not there any more; is its disk mounted?" });
    }
    return (seen = found);
  }

  async function read<T>(what: string, act: () => Promise<T>): Promise<T> {
    try {
      await look();
      return await act();
    } catch (error) {
      throw readFault(error, what);
    }
  }

  async function write<T>(what: string, act: (vault: VaultIdentity) => Promise<T>): Promise<T> {
    try {
      const found = await look();
      const vault = found !== null && isReady ? found : await ensureVault(room);
      [seen, isReady] = [vault, true];
      return await act(vault);
    } catch (error) {
      throw writeFault(error, what, { vault: root, staging });
    }
  }

  await read(`opening the vault ${root}`, look);

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
    writeBeginning: (name, number, beginning) =>
      write(`writing the beginning of run ${number} of ${name}`, () => writeBeginning(room, name, number, beginning)),
    readBeginning: (name, number) =>
      read(`reading the beginning of run ${number} of ${name}`, () => readBeginning(room, name, number)),
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

    prepare: (name, number, where) =>
      write(`preparing point ${number} of ${name}`, async (vault) => {
        // What could not be sealed need not be dumped.
        await key();
        return prepare(room, vault, name, number, where);
      }),
    seal: (making, manifest, digests) =>
      write(`sealing point ${making.number} of ${making.job}`, async () => seal(room, await key(), making, manifest, digests)),
    thin: (making, parent, onProgress, zeros) =>
      write(`thinning point ${making.number} of ${making.job}`, async () => {
        const chain = parent === null ? [] : await chainOf(room, await key(), making.job, parent);
        const folders = chain.map((manifest) => paths.generation(making.job, manifest.number));
        const parentLink = parent === null ? null : `../${parent}`;
        return thin(
          { staging: making.staging, into: making.folder, chain: folders, parentLink, zeros: zeros ?? "kept" },
          onProgress,
        );
      }),
    preDumpFolder: (making, round) => write(`preparing a pre-dump of ${making.job}`, () => makePreDumpFolder(room, making, round)),
    foldPreDumps: (making, rounds, parent) =>
      write(`folding the pre-dumps of ${making.job}`, async () => {
        const chain = parent === null ? [] : await chainOf(room, await key(), making.job, parent);
        const folders = chain.map((manifest) => paths.generation(making.job, manifest.number));
        return foldPreDumps(room, making, rounds, folders);
      }),
    dropPreDumps: (making) => write(`removing the pre-dumps of ${making.job}`, () => dropPreDumps(room, making)),
    keep: (making, parent, onProgress) =>
      write(`keeping point ${making.number} of ${making.job}`, async () => {
        const chain = (await chainOf(room, await key(), making.job, parent)).map(({ number }) =>
          paths.generation(making.job, number),
        );
        const { staging, folder: into } = making;
        return thin({ staging, into, chain, parentLink: `../${parent}`, pages: "keep" }, onProgress);
      }),
    consume: (name, number, by) =>
      write(`writing down what is left of point ${number} of ${name}`, async () =>
        consume(room, await key(), { job: name, number, by }),
      ),
    discard: (making) => write(`discarding point ${making.number} of ${making.job}`, () => discard(room, making)),
    sweepLeftovers: (name) => write(`sweeping ${name}`, (vault) => sweepLeftovers(room, vault, name)),
    remove: (name, number) => write(`removing point ${number} of ${name}`, () => removeGeneration(room, name, number)),

    verifyChain: (name, number, onProgress) =>
      read(`verifying point ${number} of ${name}`, async () => {
        const wanted = { job: name, numbers: [number], reading: { share: 1, seed: "" } };
        return (await verifyChains(room, await key(), wanted, onProgress)).damage;
      }),
    verifyChains: (name, numbers, reading, onProgress, pace) =>
      read(`verifying ${name}`, async () => verifyChains(room, await key(), { job: name, numbers, reading }, onProgress, pace)),
    fold: (name, number, parent, onProgress, pace) =>
      write(`folding point ${number} of ${name}`, async () =>
        fold(room, await key(), { job: name, number, parent, pace }, onProgress),
      ),
    dedup: (name, number, onProgress) =>
      write(`deduplicating point ${number} of ${name}`, async () => dedup(room, await key(), { job: name, number }, onProgress)),
    pageUse: (name, number) =>
      read(`reading the pagemaps of point ${number} of ${name}`, async () => {
        const chain = await chainOf(room, await key(), name, number);
        return pageUse(chain.map((manifest) => ({ ...manifest, folder: paths.generation(name, manifest.number) })));
      }),
    pack: (name, number, onProgress, pace) =>
      write(`packing point ${number} of ${name}`, async () =>
        pack(room, await key(), { job: name, number, holes: options.holes ?? (() => []), pace }, onProgress),
      ),
    unpack: (name, number, onProgress, pace) =>
      write(`unpacking point ${number} of ${name}`, async () => unpack(room, await key(), { job: name, number, pace }, onProgress)),
    unpackAside: (name, number, onProgress) =>
      write(`unpacking point ${number} of ${name}`, async () => unpackAside(room, await key(), { job: name, number }, onProgress)),
    sweepUnpacked: (name) => write(`sweeping what was unpacked of ${name}`, () => sweepUnpacked(room, name)),
    samplePages: (name, number, most, seed) =>
      read(`reading pages of point ${number} of ${name}`, async () =>
        samplePages(await foldersNow(room, name, await chainOf(room, await key(), name, number)), most, seed),
      ),
    drillFolder: (name, number) => write(`making room for a drill of ${name}`, () => makeDrillFolder(room, name, number)),
    drillFolders: (name) => read(`looking for drills of ${name}`, () => drillFolders(room, name)),
    removeDrill: (name, folder) => write(`removing ${folder}`, () => removeDrill(room, name, folder)),
    findImages: (folder) =>
      read(`looking for images in ${folder}`, () => findImages(path.resolve(folder), options.holes ?? noHoles)),
    bringIn: (making, chain, parent) =>
      write(`copying ${chain[0] ?? "nothing"} into the vault`, () => bringIn(chain, parent, making.staging)),
    flatten: (name, number, into) =>
      read(`writing ${into}`, async () => {
        const chain = await chainOf(room, await key(), name, number);
        const isPacked = chain.some(({ packed }) => packed !== undefined);
        const unpacking = async (): Promise<string> => unpackAside(room, await key(), { job: name, number }, () => undefined);
        if (isPacked) await write(`unpacking point ${number} of ${name}`, unpacking);
        try {
          return await exportFolder(disk, await foldersNow(room, name, chain), path.resolve(into));
        } finally {
          if (isPacked) await sweepUnpacked(room, name);
        }
      }),
    stagingPlace: () => read("looking at staging", async () => (staging === null ? null : stagingPlace(staging))),
    freeSpace: () =>
      read("asking for free space", async () => ({ vault: await freeSpace(root), staging: await freeSpace(staging ?? root) })),
  };
}

const noHoles: Holes = () => {
  throw new Error("nobody here can look for holes in files");
};
