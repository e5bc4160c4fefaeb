import { randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import type { JobName } from "../../src/domain/job.ts";
import { openVault } from "../../src/vault/vault.ts";
import { pointsOf } from "./guard.ts";
import { goFast, type Outputs, readOutputs, undisturbed } from "./outputs.ts";
import { type Proof, proofs } from "./proof-programs.ts";
import { type Service, startService, until } from "./service/service.ts";
import { momentOf } from "./service-kills/moments.ts";
import { isAt, leftovers as leftoversOf, phaseOf, processesWith, standing, stepReader, underway } from "./service-kills/traces.ts";
import {
  gone,
  kill,
  lives,
  openWorld,
  type RestoreDocument,
  type StartDocument,
  type StatusDocument,
  type TakeDocument,
  type World,
} from "./world.ts";

const platform = inject("platform");
/** With so much memory that a dump can be met in its middle. */
const proof: Proof = { ...proofs.single, command: (programs) => [`${programs}/single`, "40000", "5000", "512"] };

describe.skipIf(!platform.ready)("a service killed in the middle of a dump", () => {
  const programs = platform.ready ? platform.programs : "";
  let world: World;
  let started: StartDocument;
  let expected: Outputs;
  let offered: readonly number[] = [];
  let next: TakeDocument;

  beforeAll(async () => {
    expected = await undisturbed(proof, programs, "");
    world = await openWorld();
  });
  afterAll(async () => world.close());

  test("leaves the job alive and running on", async () => {
    const service = await startService(world);
    started = await world.json<StartDocument>([
      ...["run", "--name", "big", "--cwd", world.cwd, "--every", "1s", "--keep", "all", "--include", "closed.log", "--"],
      ...proof.command(programs, ""),
    ]);
    await until("two points and a third dump in its middle", async () => {
      offered = (await pointsOf(world, "big")).map((point) => point.number);
      return offered.length >= 2 && (await dumpedBytes()) > 64 << 20;
    });
    await service.end("SIGKILL");
    expect(await leftovers(), "the dump was met in its middle").not.toEqual([]);
    // The dump that nobody waits for any more ends, and thaws the job.
    await until("a job that runs on", async () => {
      const before = (await stat(path.join(world.cwd, "append.log"))).size;
      await new Promise((resolve) => setTimeout(resolve, 300));
      return (await stat(path.join(world.cwd, "append.log"))).size > before;
    });
    expect(await stateOf(started.pid)).toMatch(/[RSD]/);
    expect(await lives(started.initPid)).toBe(true);
    const { jobs } = await world.json<StatusDocument>(["status", "big"]);
    expect(jobs).toMatchObject([{ name: "big", state: "running" }]);
  });

  test("offers no half-made generation, and every older point still", async () => {
    const now = (await pointsOf(world, "big")).map((point) => point.number);
    expect(now.slice(0, offered.length)).toEqual(offered);
  });

  test("is followed by a base that says why, and the half-made generation is swept", async () => {
    await until("a vault without a dump at work", async () => (await world.run(["take", "big", "--json"])).status !== 11);
    next = await world.json<TakeDocument>(["take", "big"]);
    const points = await pointsOf(world, "big");
    const first = points.find((point) => point.number > (offered.at(-1) ?? 0));
    expect(first).toMatchObject({ kind: "base", parent: null, timeline: 1 });
    expect(first?.reason).toMatch(/did not end well/);
    expect(next).toMatchObject({ kind: "increment", parent: first?.number });
    expect(await leftovers()).toEqual([]);
  });

  test("does no harm to what the job computes", async () => {
    await kill(started.initPid);
    const oldest = offered[0] ?? 0;
    for (const number of [next.point, oldest]) {
      const restored = await world.json<RestoreDocument>(["restore", "big", "--point", String(number)]);
      await goFast(world.cwd);
      await gone(restored.pid);
      const { jobs } = await world.json<StatusDocument>(["status", "big"]);
      expect(jobs).toMatchObject([{ state: "failed", run: { ending: { type: "exited", status: proof.status } } }]);
      expect(await readOutputs(proof, world.cwd, started.output)).toEqual(expected);
    }
  });

  /** Folders of dumps that are not sealed: in staging, and beside the sealed generations. */
  async function leftovers(): Promise<readonly string[]> {
    const staging = await readdir(path.join(world.vault, ".staging")).catch(() => []);
    const making = await readdir(path.join(world.vault, "jobs/big/generations")).catch(() => []);
    return [...staging, ...making.filter((name) => name.startsWith("."))];
  }

  async function dumpedBytes(): Promise<number> {
    let bytes = 0;
    for (const name of await readdir(path.join(world.vault, ".staging"), { recursive: true }).catch(() => [])) {
      if (/pages-\d+\.img$/.test(name))
        bytes += (await stat(path.join(world.vault, ".staging", name)).catch(() => null))?.size ?? 0;
    }
    return bytes;
  }
});

/** `HOLDFAST_TEST_KILLS=100`: the long run, and none without it; `HOLDFAST_TEST_SEED=...`: a run again. */
const rounds = Number(process.env["HOLDFAST_TEST_KILLS"] ?? "0");
const seed = process.env["HOLDFAST_TEST_SEED"] ?? randomBytes(4).toString("hex");

describe.skipIf(!platform.ready || rounds === 0)(
  `a service killed at ${rounds} random moments (HOLDFAST_TEST_SEED=${seed})`,
  () => {
    const programs = platform.ready ? platform.programs : "";
    const commands = {
      one: [`${programs}/single`, "999999", "5000", "16"],
      three: ["/bin/sh", `${programs}/pipeline.sh`, programs, "999999", "5000"],
    };
    const names = ["one", "three"] as const;
    let world: World;
    let service: Service | null = null;
    const inits: Record<string, number> = {};
    const met: Record<string, number> = {};
    let [took, swept] = [0, 0];

    beforeAll(async () => {
      process.stderr.write(`HOLDFAST_TEST_SEED=${seed}\n`);
      world = await openWorld();
      for (const name of names) {
        const cwd = path.join(world.cwd, name);
        await mkdir(cwd);
        const words = ["run", "--name", name, "--cwd", cwd, "--every", "1s", "--keep", "last=2", "--output", "out", "--"];
        inits[name] = (await world.json<StartDocument>([...words, ...commands[name]])).initPid;
      }
    });
    afterAll(async () => {
      await service?.end("SIGKILL");
      await world.close();
    });

    test("ends no job, harms no listed point and leaves nothing behind", { timeout: 60_000 + rounds * 60_000 }, async () => {
      const began = performance.now();
      const readers = ["plain.dat", "append.log"].map((name) => stepReader(path.join(world.cwd, "one", name)));
      const job = async (): Promise<readonly number[]> => Promise.all(readers.map(async (read) => read()));
      const left = new Set<string>();
      for (let round = 1; round <= rounds; round++) {
        const { during, milliseconds } = momentOf(seed, round);
        service = await startService(world);
        const { count, pid } = service;
        for (const since = performance.now(); !(await isAt(world, names, pid, during)); await wait(2))
          if (performance.now() - since > 120_000) throw new Error(`seed ${seed}, round ${round}: never seen at ${during}`);
        await wait(milliseconds);
        await service.end("SIGKILL");
        const verbs = underway(world, pid);
        const phases = await Promise.all(names.map(async (name) => phaseOf(world, name)));
        const told = `seed ${seed}, round ${round}, ${milliseconds} ms after the start of ${during}, in ${verbs.join(" and ")} (${phases.join(", ")})`;
        for (const verb of verbs) met[verb] = (met[verb] ?? 0) + 1;
        if (verbs.includes("take")) for (const phase of phases) met[`take: ${phase}`] = (met[`take: ${phase}`] ?? 0) + 1;
        for (const line of service.lines()) {
          took += line.event === "took" ? 1 : 0;
          swept += line.event === "expired" ? 1 : 0;
          // Nothing but that is in order: another's criu may still be at work on the job.
          expect(line.code ?? "busy", `${told}: ${JSON.stringify(line)}`).toBe("busy");
        }
        await until(
          `${told}: no criu at work`,
          async () => !(await processesWith(world.vault)).some(({ words }) => words.includes("dump")),
        );
        for (const name of names) {
          await until(`${told}: nobody of ${name} stands still`, async () => (await standing(inits[name] ?? 0)).length === 0);
          expect(await lives(inits[name] ?? 0), told).toBe(true);
        }
        const before = await job();
        await until(`${told}: a job that writes on`, async () => ((await job())[0] ?? 0) > (before[0] ?? 0));
        for (const name of names) {
          const now = await leftoversOf(world, name);
          // A service that took this job swept it first; folds alone may be begun again under the same name.
          const still = count("took", name) > 0 ? now.filter((one) => left.has(`${name} ${one}`) && !/folding|gone/.test(one)) : [];
          expect(still, `${told}: left by an earlier one`).toEqual([]);
          for (const one of now) left.add(`${name} ${one}`);
          if (now.some((one) => /folding|gone/.test(one))) met["a fold or a removal"] = (met["a fold or a removal"] ?? 0) + 1;
        }
        await harmless(told);
        if (process.env["HOLDFAST_TEST_KILLS"]) process.stderr.write(`${told}; ${took} takes, ${swept} passes that swept\n`);
      }
      service = await startService(world);
      const last = service;
      await until("takes of both jobs", () => names.every((name) => last.count("took", name) > 0));
      expect(await service.end("SIGTERM")).toBe(0);
      service = null;
      expect((await Promise.all(names.map(async (name) => leftoversOf(world, name)))).flat()).toEqual([]);
      const seconds = Math.round((performance.now() - began) / 1000);
      const figures = Object.entries(met).map(([what, times]) => `${what} ${times}`);
      process.stderr.write(
        `${rounds} kills, seed ${seed}: ${took} takes and ${swept} passes that swept were told of; met: ${figures.toSorted().join(", ")}; ${left.size} half-made things; ${seconds} s\n`,
      );
    });

    test("leaves points that the jobs come back from and go on", async () => {
      for (const name of names) {
        await kill(inits[name] ?? 0);
        const restored = await world.json<RestoreDocument>(["restore", name]);
        const file = path.join(world.cwd, name, name === "one" ? "append.log" : "pipeline.out");
        const before = (await stat(file)).size;
        await until(`${name} writing on`, async () => (await stat(file)).size > before);
        expect(await lives(restored.pid)).toBe(true);
      }
      await stepReader(path.join(world.cwd, "one", "append.log"))();
      expect(await readFile(path.join(world.cwd, "one", "out"), "latin1")).not.toContain("wrong");
    });

    /** All that is listed is whole, before anybody has put anything right. */
    async function harmless(told: string): Promise<void> {
      const vault = await openVault({ path: world.vault, stagingPath: null, keyPath: null, random: () => seed, now: () => 0 });
      for (const name of names) {
        for (const { number } of await pointsOf(world, name)) {
          const damage = await vault.verifyChain(name as JobName, number, () => undefined);
          expect(damage, `${told}: point ${number} of ${name}`).toEqual([]);
        }
      }
    }
  },
);

async function stateOf(pid: number): Promise<string> {
  return /\) (\w) /.exec(await readFile(`/proc/${pid}/stat`, "utf8"))?.[1] ?? "gone";
}
