import { readdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { pointsOf } from "./guard.ts";
import { goFast, type Outputs, readOutputs, undisturbed } from "./outputs.ts";
import { type Proof, proofs } from "./proof-programs.ts";
import { startService, until } from "./service/service.ts";
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

async function stateOf(pid: number): Promise<string> {
  return /\) (\w) /.exec(await readFile(`/proc/${pid}/stat`, "utf8"))?.[1] ?? "gone";
}
