import { expect, test } from "vitest";
import { inLab } from "./floor.ts";
import { allRight, finish, moreSteps, type Restored, startPages, type Taken } from "./job.ts";

type Numbers = { readonly points: readonly { readonly number: number; readonly kind: string }[] };

inLab("a power cut", (lab) => {
  test("after a sealed take costs what was done since, and no more", async () => {
    await startPages(lab(), "cut");
    await moreSteps(lab(), "cut", 3);
    expect(await lab().json<Taken>("take cut")).toMatchObject({ point: 1, kind: "base" });
    await moreSteps(lab(), "cut", 5);
    expect(await lab().json<Taken>("take cut")).toMatchObject({ point: 2, kind: "increment" });
    await moreSteps(lab(), "cut", 10);
    await lab().powerCut();

    await lab().boot();
    const restored = await lab().json<Restored>("restore cut");
    expect(restored).toMatchObject({ point: 2, run: 2, timeline: 2 });
    await moreSteps(lab(), "cut", 3);
  });

  test("inside a freeze leaves the points as they were; the job comes back from the newest", async () => {
    const taken = await lab().json<Taken>("take cut");
    expect(taken).toMatchObject({ point: 3, kind: "base", run: 2 });
    expect(taken.reason).toMatch(/restored from point 2/);
    await moreSteps(lab(), "cut", 5);
    const log = "/vault/holdfast/jobs/cut/logs/dump-4.log";
    await lab().must(`holdfast take cut >/run/take 2>&1 & take=$!
      until grep -q 'dirty tracking' ${log} 2>/dev/null; do kill -0 $take || { cat /run/take; exit 1; }; sleep 0.02; done`);
    await lab().powerCut();

    await lab().boot();
    const restored = await lab().json<Restored>("restore cut");
    expect(restored).toMatchObject({ point: 3, run: 3, timeline: 3 });
    const { points } = await lab().json<Numbers>("points cut");
    expect(points.map((point) => `${point.kind} ${point.number}`)).toEqual(["base 1", "increment 2", "base 3"]);
    await moreSteps(lab(), "cut", 3);
    expect(await finish(lab(), "cut", restored.run)).toEqual(allRight);
  });
});
