import { type ChildProcess, fork } from "node:child_process";
import { randomInt } from "node:crypto";
import { EventEmitter, once } from "node:events";
import { watch } from "node:fs";
import { readdir } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { made } from "./made-chain.ts";
import { type LoopDisk, loopDisk } from "./loop-disk.ts";

const platform = inject("platform");
const SEED = Number(process.env["FOLD_SEED"] ?? randomInt(2 ** 31));
const ROUNDS = Number(process.env["FOLD_ROUNDS"] ?? "100");

describe.skipIf(!platform.ready).each([
  { how: "exchange", rounds: ROUNDS },
  { how: "two renames", rounds: Math.ceil(ROUNDS / 5) },
])("folds on a disk of their own, switched by $how", ({ how, rounds }) => {
  let disk: LoopDisk;
  const children = new Set<ChildProcess>();

  function start(): ChildProcess {
    const started = fork(path.join(import.meta.dirname, "fold-child.ts"), [disk.folder, how], {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      env: { ...process.env, NODE_COMPILE_CACHE: path.join(os.tmpdir(), "holdfast-test-compiled") },
    });
    children.add(started);
    started.once("exit", () => children.delete(started));
    return started;
  }
  /** What the child answers next: its deed's milliseconds. */
  function answer(from: ChildProcess): Promise<number> {
    return new Promise((resolve, reject) => {
      const say = (said: { readonly done?: number; readonly failed?: string }): void => {
        from.off("exit", end);
        if (said.done === undefined) reject(new Error(said.failed));
        else resolve(said.done);
      };
      const end = (): void => {
        from.off("message", say);
        reject(new Error("the process ended before it answered"));
      };
      from.once("message", say).once("exit", end);
    });
  }
  const up = (started: ChildProcess): Promise<ChildProcess> => answer(started).then(() => started);
  const ask = (whom: ChildProcess, deed: string): Promise<number> => {
    const answered = answer(whom);
    whom.send(deed);
    return answered;
  };
  async function kill(whom: ChildProcess): Promise<void> {
    if (whom.signalCode !== null) return;
    const ended = once(whom, "exit");
    whom.kill("SIGKILL");
    await ended;
  }
  const lying = async (): Promise<string> =>
    (await readdir(path.join(disk.folder, "vault/jobs", made, "generations"))).toSorted().join(" ");

  /** Counts names made, changed and removed among the generations. */
  function changesOfNames() {
    let count = 0;
    const heard = new EventEmitter();
    const watcher = watch(path.join(disk.folder, "vault/jobs", made, "generations"), () => heard.emit(String(++count)));
    return { count: () => count, reached: (place: number) => once(heard, String(place)), close: () => watcher.close() };
  }

  beforeAll(async () => {
    disk = await loopDisk(256);
    const maker = await up(start());
    await ask(maker, "make");
    await kill(maker);
  });
  afterAll(async () => {
    for (const one of children) await kill(one);
    await disk.remove();
  });

  test(
    `${rounds} passes killed at moments spread over their whole length leave every listed point with its bytes`,
    { timeout: 900_000 },
    async () => {
      const left = new Set<string>();
      let [at, next] = [await up(start()), await up(start())];
      // While one proves, the next one loads its code; while one folds, nobody does anything else.
      const takeOver = async (): Promise<void> => {
        const coming = up(start());
        await kill(at);
        at = next;
        const [loaded, proved] = await Promise.allSettled([coming, ask(at, "prove")]);
        if (proved.status === "rejected") throw proved.reason;
        if (loaded.status === "rejected") throw loaded.reason;
        next = loaded.value;
      };
      // Of passes that nobody disturbs, each by a process as those that are killed.
      const lengths: number[] = [];
      let changes = 0;
      for (let turn = 0; turn < 5; turn++) {
        await takeOver();
        const watched = changesOfNames();
        lengths.push(await ask(at, "begin"));
        changes = Math.max(changes, watched.count());
        watched.close();
      }
      // A little more than the usual length, for those that are slower.
      const length = (lengths.toSorted((a, b) => a - b)[2] ?? 0) * 1.15;
      const draw = drawing(SEED);
      const [moments, places] = [spread(rounds, length, draw), spread(rounds, changes, draw)];
      await takeOver();
      for (let round = 0; round < rounds; round++) {
        // Every other one just after one of the steps that matter, which are short: a name that was changed.
        const [moment, place] = [moments[round] ?? 0, round % 2 === 0 ? null : Math.ceil(places[round] ?? 0)];
        const watched = changesOfNames();
        at.send("begin");
        await (place === null
          ? wait(moment)
          : Promise.race([watched.reached(place).then(() => wait(draw() * 3)), once(at, "message")]));
        await kill(at);
        watched.close();
        const found = await lying();
        left.add(found);
        const when =
          place === null ? `after ${moment.toFixed(1)} of ${length.toFixed(1)} ms` : `after change ${place} of ${changes}`;
        const told = `seed ${SEED}, round ${round}, killed ${when}, which left ${found}`;
        if (process.env["FOLD_ROUNDS"]) process.stderr.write(`${told}\n`);
        await takeOver().catch((error: unknown) => {
          throw new Error(told, { cause: error });
        });
      }
      const told = `${how}: seed ${SEED}, ${rounds} kills within ${length.toFixed(0)} ms left ${left.size} different folders`;
      process.stderr.write(`${told}\n`);
      // Else the moments were not spread: nothing touched yet, all done, and the steps between.
      expect(left.size, told).toBeGreaterThan(Math.min(rounds / 10, 5));
      if (rounds >= 20) expect([...left].join("\n"), told).toMatch(how === "exchange" ? /\.folding-/ : /\.old-(\d) (?!.*\1)/);
    },
  );
});

/** One moment in each of as many equal parts of the length, in an order of chance. */
function spread(count: number, length: number, draw: () => number): readonly number[] {
  const moments = Array.from({ length: count }, (_, part) => ((part + draw()) / count) * length);
  return moments
    .map((moment) => ({ moment, at: draw() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ moment }) => moment);
}

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function drawing(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
