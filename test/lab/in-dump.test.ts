import { expect, test } from "vitest";
import { inLab } from "./floor.ts";
import { allRight, crash, finish, moreSteps, type Restored, startPages, type Taken } from "./job.ts";

type Points = { readonly points: readonly { readonly number: number; readonly state: string; readonly bytes: number }[] };

inLab('dedup = "in-dump"', (lab) => {
  const listed = async (name: string, words = ""): Promise<Points["points"]> =>
    (await lab().json<Points>(`points ${name} ${words}`)).points;

  test("only the newest point is ever offered; it comes back whole from what CRIU has left of the older ones", async () => {
    const job = await startPages(lab(), "lean", "--dedup in-dump --keep last=1");
    for (let turn = 1; turn <= 4; turn++) {
      await moreSteps(lab(), "lean", 3);
      const kind = turn === 1 ? "base" : "increment";
      expect(await lab().json<Taken>("take lean")).toMatchObject({ point: turn, kind });
      expect((await listed("lean")).map(({ number }) => number)).toEqual([turn]);
    }
    const all = await listed("lean", "--all");
    expect(all.map(({ state }) => state)).toEqual(["consumed", "consumed", "consumed", "sealed"]);
    await lab().must("holdfast verify lean");
    await lab().must("holdfast expire lean");
    expect((await listed("lean", "--all")).map(({ state }) => state)).toEqual(["consumed", "consumed", "consumed", "sealed"]);
    expect((await lab().holdfast("restore lean --point 2")).status).toBe(10);

    await crash(lab(), job.initPid);
    const restored = await lab().json<Restored>("restore lean");
    expect(restored).toMatchObject({ point: 4 });
    await moreSteps(lab(), "lean", 2);
    expect(await lab().json<Taken>("take lean")).toMatchObject({ kind: "base" });
    expect(await finish(lab(), "lean", restored.run)).toEqual(allRight);
  });
});
