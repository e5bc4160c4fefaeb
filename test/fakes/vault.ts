import type { Head } from "../../src/domain/head.ts";
import type { Job, JobName } from "../../src/domain/job.ts";
import type { Manifest } from "../../src/domain/manifest.ts";
import type { Beginning, Run } from "../../src/domain/run.ts";
import type { Damage, Marks, Vault } from "../../src/engine/ports.ts";
import { Fault } from "../../src/faults/fault.ts";

/** Says what is about to be done; throws if the test wants this step to fail. */
export type Step = (what: string) => void;

/** The vault's small truth in memory: no images, no pages. `damage` is what a look at the chains would find. */
export function fakeVault(step: Step, damage: readonly Damage[] = []): Vault {
  const jobs = new Map<JobName, Kept>();
  const kept = (name: JobName): Kept => {
    const one = jobs.get(name) ?? empty();
    jobs.set(name, one);
    return one;
  };
  const byNumber = (a: number, b: number): number => a - b;

  return {
    path: "/vault",
    jobNames: async () => [...jobs.keys()].toSorted(),
    readJob: async (name) => jobs.get(name)?.job ?? null,
    async writeJob(job) {
      step(`write job ${job.intent}`);
      kept(job.name).job = job;
    },
    async removeJob(name) {
      step("remove job");
      jobs.delete(name);
    },
    readHead: async (name) => kept(name).head,
    async writeHead(name, head) {
      step(`write head ${head.lastNumber} ${head.bits.type}`);
      kept(name).head = head;
    },
    readMarks: async (name) => kept(name).marks,
    async writeMarks(name, marks) {
      step("write marks");
      kept(name).marks = marks;
    },
    runs: async (name) => [...kept(name).runs.values()],
    async writeRun(name, run) {
      step(`write run ${run.number}`);
      kept(name).runs.set(run.number, run);
    },
    async unfinishedRuns(name) {
      const { folders, runs } = kept(name);
      return [...folders]
        .filter((number) => !runs.has(number))
        .map((number) => ({ number, folder: `/vault/runs/${number}`, undoFolder: `/vault/undo/${number}` }));
    },
    async writeBeginning(name, number, beginning) {
      kept(name).folders.add(number);
      kept(name).beginnings.set(number, beginning);
    },
    readBeginning: async (name, number) => kept(name).beginnings.get(number) ?? null,
    async removeRunFolder(name, number) {
      step(`remove run folder ${number}`);
      kept(name).runs.delete(number);
      kept(name).beginnings.delete(number);
      kept(name).folders.delete(number);
    },
    logFile: async (_, file) => `/vault/logs/${file}`,
    undoFolder: (_, run) => `/vault/undo/${run}`,
    async runFolder(name, number) {
      kept(name).folders.add(number);
      return `/vault/runs/${number}`;
    },
    outputFolder: async () => "/vault/output",
    sealed: async (name) => [...kept(name).sealed.keys()].toSorted(byNumber),
    async manifest(name, number) {
      const manifest = kept(name).sealed.get(number);
      if (!manifest) throw Fault.of("point-unknown", { job: name, point: number });
      return manifest;
    },
    generationFolder: (_, number) => `/vault/generations/${number}`,
    stagingPlace: async () => null,
    async prepare(job, number, where) {
      step(`prepare ${number}${where === "vault" ? "" : ` in ${where}`}`);
      return { job, number, staging: `/vault/.staging/${number}`, folder: `/vault/generations/.making-${number}` };
    },
    async thin() {
      step("thin");
      return {
        digests: {},
        pagesKept: 1,
        pagesShared: 0,
        pagesBlank: 0,
        bytesRead: 4096,
        bytesWritten: 4096,
        highestPid: 300,
        processes: 1,
      };
    },
    async preDumpFolder({ number }, round) {
      step(`pre-dump folder ${round}`);
      return `/vault/generations/.pre-${number}-${round}`;
    },
    async foldPreDumps(making, rounds) {
      step(`fold ${rounds} pre-dumps`);
      return { ...making, staging: `/vault/generations/.pre-${making.number}-0` };
    },
    async dropPreDumps() {
      step("drop pre-dumps");
    },
    async keep() {
      step("keep");
      return {
        digests: {},
        pagesKept: 1,
        pagesShared: 0,
        pagesBlank: 0,
        bytesRead: 4096,
        bytesWritten: 4096,
        highestPid: 300,
        processes: 1,
      };
    },
    async consume(name, number, by) {
      step(`consume ${number}`);
      const sealed = kept(name).sealed;
      const manifest = sealed.get(number);
      if (manifest) sealed.set(number, { ...manifest, consumed: { by, holeBytes: 0 } });
    },
    async seal({ job, number }, manifest, digests) {
      step(`seal ${number}`);
      kept(job).sealed.set(number, { ...manifest, digests });
      return { bytes: 4096 };
    },
    async discard({ number }) {
      step(`discard ${number}`);
    },
    sweepLeftovers: async () => [],
    async remove(name, number) {
      kept(name).sealed.delete(number);
    },
    verifyChain: async (_, number) => damage.filter((one) => one.number === number),
    verifyChains: async (_, numbers) => ({
      damage: damage.filter((one) => numbers.includes(one.number)),
      read: { files: 0, bytes: 0 },
      unread: [],
    }),
    async fold(name, number, parent) {
      const { sealed } = kept(name);
      const [own, below] = [sealed.get(number), parent === null ? undefined : sealed.get(parent)];
      const link = below === undefined ? null : { number: below.number, id: below.id };
      if (own) sealed.set(number, { ...own, kind: link === null ? "base" : "increment", parent: link });
      return { bytesMoved: 0 };
    },
    dedup: async () => ({ pagesDropped: 0 }),
    pageUse: async () => new Map(),
    async pack(name, number) {
      step(`pack ${number}`);
      const { sealed } = kept(name);
      const own = sealed.get(number);
      if (own) sealed.set(number, { ...own, packed: { bytes: 7, sha256: "0".repeat(64) } });
    },
    async unpack(name, number) {
      step(`unpack ${number}`);
      const { sealed } = kept(name);
      const own = sealed.get(number);
      if (!own) return;
      const { packed: _, ...plain } = own;
      sealed.set(number, plain);
    },
    async unpackAside(name, number) {
      step(`unpack aside ${number}`);
      kept(name).unpacked.add(`.unpacked-${number}`);
      return `/vault/.unpacked-${number}/${number}`;
    },
    async sweepUnpacked(name) {
      const folders = [...kept(name).unpacked];
      kept(name).unpacked.clear();
      return folders;
    },
    findImages: async () => [],
    samplePages: async () => ({ pages: [{ vpid: 300, page: 16, bytes: new Uint8Array(4096), unsteady: [] }], total: 9 }),
    async drillFolder(name, number) {
      step(`drill folder ${number}`);
      kept(name).drills.add(`/vault/.drill-${number}`);
      return `/vault/.drill-${number}`;
    },
    drillFolders: async (name) => [...kept(name).drills],
    async removeDrill(name, folder) {
      step(`remove ${folder}`);
      kept(name).drills.delete(folder);
    },
    bringIn: async () => undefined,
    flatten: async () => ({ bytes: 0 }),
    freeSpace: async () => ({ vault: 2 ** 40, staging: 2 ** 40 }),
  };
}

type Kept = {
  job: Job | null;
  head: Head;
  marks: Marks;
  readonly runs: Map<number, Run>;
  readonly folders: Set<number>;
  readonly drills: Set<string>;
  readonly unpacked: Set<string>;
  readonly beginnings: Map<number, Beginning>;
  readonly sealed: Map<number, Manifest>;
};

function empty(): Kept {
  const head: Head = { lastNumber: 0, bits: { type: "unknown", why: "no generation has been taken yet" } };
  return {
    job: null,
    head,
    marks: {},
    runs: new Map(),
    folders: new Set(),
    drills: new Set(),
    unpacked: new Set(),
    beginnings: new Map(),
    sealed: new Map(),
  };
}
