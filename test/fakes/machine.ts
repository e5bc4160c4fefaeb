import type { Ending, ProcessIdentity } from "../../src/domain/run.ts";
import type { Damage, EngineEvent, Launched, Notice, Ports, PreDumped } from "../../src/engine/ports.ts";
import { fakeCatalogue } from "./catalogue.ts";
import { fakeVault } from "./vault.ts";

/** A machine in memory for the engine's unit tests. No CRIU is played here beyond "it dumped" and "it did not". */
export type Machine = {
  readonly ports: Ports;
  /** All that was done to the world, in order. */
  readonly steps: string[];
  readonly events: EngineEvent[];
  /** What hooks were told. */
  readonly notices: Notice[];
  /** Pids that live. */
  readonly alive: Set<number>;
  /** The named step is not done: this is thrown in its place, each time. */
  readonly failing: Map<string, Error>;
  /** What inits wrote at the end, and when, by run folder. */
  readonly endings: Map<string, Ending>;
  readonly endedAt: Map<string, number>;
  /** Another boot id from now on. */
  reboot: () => void;
  /** What comes of the next pre-dumps; a page each, when there are no more. */
  readonly preDumped: PreDumped[];
  /** How many of the pages a drill compares are not as they should be. */
  differing: number;
  /** Called at each sleep of the clock, with the milliseconds since the start. */
  onSleep: (now: number) => void | Promise<void>;
};

const self = 10;

export function fakeMachine(damage: readonly Damage[] = []): Machine {
  const steps: string[] = [];
  const events: EngineEvent[] = [];
  const notices: Notice[] = [];
  const alive = new Set([self]);
  const failing = new Map<string, Error>();
  let [now, random, pid] = [0, 0, 100];
  let boot = "boot";
  /** Run folder to what lives there. */
  const launched = new Map<string, Launched>();
  const step = (what: string): void => {
    steps.push(what);
    const error = failing.get(what);
    if (error) throw error;
  };
  const begin = (runFolder: string): Launched => {
    const [init, root] = [
      { ...identity(++pid), bootId: boot },
      { ...identity(++pid), bootId: boot },
    ];
    alive.add(init.pid).add(root.pid);
    launched.set(runFolder, { init, root, rootVpid: 300 });
    return { init, root, rootVpid: 300 };
  };
  const isAlive = (one: ProcessIdentity): boolean => alive.has(one.pid);
  const facts = { version: "4.2.1", command: ["criu"], softDirty: false };
  const capture = { files: [], folders: [], needed: [] };

  const machine: Machine = {
    steps,
    events,
    notices,
    alive,
    failing,
    endings: new Map(),
    endedAt: new Map(),
    reboot() {
      boot += "+";
    },
    onSleep: () => undefined,
    preDumped: [],
    differing: 0,
    ports: {
      catalogue: fakeCatalogue(),
      vault: fakeVault(step, damage),
      criu: {
        probe: async () => facts,
        async dump(_, whileFrozen) {
          step("dump");
          await whileFrozen();
          return { freezeMicros: 1000, memdumpMicros: 500, memwriteMicros: 500, pagesScanned: 1, pagesSkipped: 0, pagesWritten: 1 };
        },
        async preDump({ parent }) {
          step(`pre-dump on ${parent ?? "nothing"}`);
          return machine.preDumped.shift() ?? { type: "done", round: { pages: 1, freezeMicros: 100 } };
        },
        restoreWords: async () => ["criu", "restore"],
        stillDumping: async () => false,
      },
      processes: {
        self: () => identity(self),
        identify: async (one) => (alive.has(one) ? identity(one) : null),
        isAlive,
        inspect: async (root) => ({ root, rootVpid: 300, processes: [], strays: [], sockets: [], locks: [] }),
        signal(one, signal) {
          step(`${signal} ${one.pid}`);
          return alive.delete(one.pid);
        },
      },
      launcher: {
        async launch({ runFolder }) {
          step("launch");
          return begin(runFolder);
        },
        async bringBack({ runFolder }) {
          step("bring back");
          return begin(runFolder);
        },
        find: async (runFolder) => launched.get(runFolder) ?? null,
        async abandon(runFolder) {
          step(`abandon ${runFolder}`);
          const there = launched.get(runFolder);
          if (there) for (const one of [there.init.pid, there.root.pid]) alive.delete(one);
          launched.delete(runFolder);
        },
        ending: async (runFolder) => machine.endings.get(runFolder) ?? null,
        endedAt: async (runFolder) => machine.endedAt.get(runFolder) ?? null,
      },
      isolation: {
        async bringBack({ restore }, whileStopped) {
          step("bring back in isolation");
          const copied = { copied: ["/"], readOnly: [] };
          const next = await whileStopped({ ...copied, differences: async (pages) => pages.slice(0, machine.differing) });
          step(next);
          return next === "end" ? null : begin(restore.runFolder);
        },
      },
      files: {
        async capture() {
          step("capture");
          return capture;
        },
        copyAhead: async () => ({ close: async () => undefined }),
        settle: async () => ({ capture, digests: {} }),
        preflight: async () => undefined,
        async putBack(_, __, undoFolder) {
          step("put back");
          return { files: [], undoFolder, undoBytes: 0 };
        },
        async undo(undoFolder) {
          step(`undo ${undoFolder}`);
        },
      },
      host: {
        kernel: () => "6.18",
        hostname: () => "here",
        bootId: () => boot,
        isRoot: () => true,
        availableMemory: () => 2 ** 40,
        processor: () => ({ at: now * 1000, cores: 2, busy: 0, own: 0 }),
      },
      clock: {
        now: () => 1_790_000_000_000 + now,
        monotonic: () => now,
        async sleep(milliseconds) {
          now += milliseconds;
          await machine.onSleep(now);
        },
        repeat: () => () => undefined,
      },
      ids: { random: () => `random-${++random}` },
      events: { emit: (event) => events.push(event) },
      notices: {
        async tell(notice) {
          notices.push(notice);
        },
      },
      limits: { dumpTimeoutSeconds: 60, restoreTimeoutSeconds: 60, stopSeconds: 60, minFreeBytes: 0 },
      interval: { mtbf: 30 * 86_400_000, minEvery: 60_000, maxEvery: 6 * 3_600_000, maxOverhead: 0.01 },
    },
  };
  return machine;
}

export function identity(pid: number): ProcessIdentity {
  return { pid, startTicks: pid * 10, bootId: "boot" };
}
