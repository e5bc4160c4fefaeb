import { readdir } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { type Guarded, guard, pointsOf, reboot } from "../guard.ts";
import { goFast, type Outputs, readOutputs, undisturbed } from "../outputs.ts";
import { type Proof, proofs } from "../proof-programs.ts";
import { gone, kill, openWorld, type RestoreDocument, type StatusDocument, type TakeDocument, type World } from "../world.ts";

const platform = inject("platform");
const COUNT = 12;
const HELD = 4;

type ExpireDocument = {
  readonly kept: readonly { readonly number: number; readonly reasons: readonly string[] }[];
  readonly expired: readonly { readonly number: number; readonly reason: string }[];
  readonly folds: readonly { readonly number: number; readonly parent: number | null }[];
  readonly sweeps: readonly number[];
  readonly done: {
    readonly folded: number;
    readonly swept: number;
    readonly bytesBefore: number;
    readonly bytesAfter: number;
  } | null;
};

/** The program under a policy: most of its points expire while it runs, and each one that is left brings it back to its own moment. */
describe.skipIf(!platform.ready).each([proofs.single, proofs.workers] as readonly Proof[])("retention of $name ($law)", (proof) => {
  const programs = platform.ready ? platform.programs : "";
  const unique = `holdfast-test-retention-${proof.name}-${process.pid}`;
  let world: World;
  let expected: Outputs;
  let guarded: Guarded;
  const numbers = async (): Promise<readonly number[]> => (await pointsOf(world, proof.name)).map((point) => point.number);
  const directories = async (): Promise<readonly string[]> => {
    const names = await readdir(path.join(world.vault, "jobs", proof.name, "generations"));
    return names.toSorted((a, b) => Number(a) - Number(b));
  };

  beforeAll(async () => {
    expected = await undisturbed(proof, programs, unique);
    await reboot(proof, unique);
    world = await openWorld(proof.place);
    guarded = await guard(world, proof, programs, unique, COUNT);
  });
  afterAll(async () => {
    await world.close();
    await reboot(proof, unique);
  });

  test("a dry run tells what would go, and changes nothing", async () => {
    await world.json(["hold", proof.name, "--point", String(HELD), "--note", "a good one"]);
    await world.json(["policy", proof.name, "--keep", "last=3"]);
    const plan = await world.json<ExpireDocument>(["expire", proof.name, "--dry-run"]);
    expect(plan).toMatchObject({
      folds: [
        { number: 10, parent: HELD },
        { number: HELD, parent: null },
      ],
      done: null,
    });
    expect(await numbers()).toHaveLength(COUNT);
    expect(await directories()).toHaveLength(COUNT);
  });

  test("most points expire while it runs; the held and the newest stay, on fewer bytes, and all read back whole", async () => {
    const report = await world.json<ExpireDocument>(["expire", proof.name]);
    expect(report.kept.map(({ number }) => number)).toEqual([HELD, 10, 11, 12]);
    expect(report.done).toMatchObject({ folded: 2, swept: COUNT - 4 });
    expect(report.done?.bytesAfter).toBeLessThan(report.done?.bytesBefore ?? 0);
    expect(await numbers()).toEqual([HELD, 10, 11, 12]);
    expect(await directories()).toEqual(["4", "10", "11", "12"]);
    const points = await pointsOf(world, proof.name);
    expect(points.map(({ kind, parent }) => [kind, parent])).toEqual([
      ["base", null],
      ["increment", HELD],
      ["increment", 10],
      ["increment", 11],
    ]);
    expect(await world.json(["verify", proof.name])).toMatchObject({ jobs: [{ damage: [] }] });
  });

  test("the chain goes on: the next generation is an increment, and what that pushes out goes in the next pass", async () => {
    const taken = await world.json<TakeDocument>(["take", proof.name]);
    expect(taken).toMatchObject({ point: COUNT + 1, kind: "increment", parent: COUNT });
    expect(await world.json<ExpireDocument>(["expire", proof.name])).toMatchObject({
      folds: [{ number: 11, parent: HELD }],
      sweeps: [10],
    });
    expect(await world.json<ExpireDocument>(["expire", proof.name])).toMatchObject({ expired: [], folds: [], sweeps: [] });
    await kill(guarded.started.initPid);
    await gone(guarded.started.pid);
  });

  test.each([HELD, 11, 12, 13])("brought back to point %i it ends as if nothing had happened", async (number) => {
    await reboot(proof, unique);
    const restored = await world.json<RestoreDocument>(["restore", proof.name, "--point", String(number)]);
    expect(restored).toMatchObject({ job: proof.name, point: number });
    await goFast(world.cwd);
    await gone(restored.pid, 100);
    const { jobs } = await world.json<StatusDocument>(["status", proof.name]);
    expect(jobs).toMatchObject([{ state: "failed", run: { ending: { type: "exited", status: proof.status } } }]);
    expect(await readOutputs(proof, world.cwd, guarded.started.output)).toEqual(expected);
  });
});
