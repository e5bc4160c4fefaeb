import { rm } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { goFast, type Outputs, readOutputs, undisturbed } from "./outputs.ts";
import { type Guarded, guard, pointsOf, reboot } from "./guard.ts";
import type { Proof } from "./proof-programs.ts";
import { gone, kill, openWorld, type Point, type RestoreDocument, type StatusDocument, type World } from "./world.ts";

const COUNT = 10;

/**
 * The proof for one program: at least ten generations while it runs, SIGKILL for its whole tree, and then every point in turn is
 * restored and let run to its end; outputs and exit status must be those of an undisturbed run.
 */
export function prove(proof: Proof): void {
  const platform = inject("platform");
  const reason = platform.ready ? "" : ` (skipped: ${platform.why})`;
  describe.skipIf(!platform.ready)(`${proof.law}${reason}`, () => {
    const programs = platform.ready ? platform.programs : "";
    const unique = `holdfast-test-${proof.name}-${process.pid}`;
    let world: World;
    let expected: Outputs;
    let guarded: Guarded;
    let points: readonly Point[] = [];

    beforeAll(async () => {
      expected = await undisturbed(proof, programs, unique);
      world = await openWorld(proof.place);
    }, 300_000);

    afterAll(async () => {
      await world.close();
      await reboot(proof, unique);
    });

    test("it lives through its generations", { timeout: 300_000 }, async () => {
      guarded = await guard(world, proof, programs, unique, COUNT);
      const { jobs } = await world.json<StatusDocument>(["status", proof.name]);
      expect(jobs).toMatchObject([{ name: proof.name, state: "running", newestPoint: COUNT }]);
      points = await pointsOf(world, proof.name);
      expect(points.map((point) => point.number)).toEqual(Array.from({ length: COUNT }, (_, index) => index + 1));
      expect(points.map((point) => point.kind)).toEqual(["base", ...Array.from({ length: COUNT - 1 }, () => "increment")]);
      expect(points.map((point) => point.parent)).toEqual([null, ...Array.from({ length: COUNT - 1 }, (_, index) => index + 1)]);
      expect(
        points.every((point) => point.timeline === 1 && point.bytes > 0 && point.freezeMicros > 0 && point.reason !== ""),
      ).toBe(true);
    });

    test("killed, it is told as crashed, with every point still offered", async () => {
      await kill(guarded.started.initPid);
      await gone(guarded.started.pid);
      const { jobs } = await world.json<StatusDocument>(["status", proof.name]);
      expect(jobs).toMatchObject([{ state: "crashed", exposureSeconds: null, run: { ending: null } }]);
      expect(await pointsOf(world, proof.name)).toEqual(points);
    });

    for (let number = 1; number <= COUNT; number++) {
      test(`brought back to point ${number} it ends as if nothing had happened`, { timeout: 300_000 }, async () => {
        await reboot(proof, unique);
        if (proof.place === "temporary") await rm(world.cwd, { recursive: true, force: true });
        const restored = await world.json<RestoreDocument>(["restore", proof.name, "--point", String(number)]);
        expect(restored).toMatchObject({ job: proof.name, point: number, timeline: number + 1, run: number + 1 });
        await goFast(world.cwd);
        await gone(restored.pid, 200);
        const { jobs } = await world.json<StatusDocument>(["status", proof.name]);
        const state = proof.status === 0 ? "finished" : "failed";
        expect(jobs).toMatchObject([{ state, run: { ending: { type: "exited", status: proof.status } } }]);
        expect(await readOutputs(proof, world.cwd, guarded.started.output)).toEqual(expected);
      });
    }
  });
}
