import { expect, test } from "vitest";
import { inLab } from "./floor.ts";
import { allRight, crash, finish, moreSteps, type Restored, type Started, startPages, type Taken } from "./job.ts";

const COUNT = 6;

type Point = { readonly number: number; readonly kind: string; readonly tracking: string };

inLab("increments by the kernel's soft-dirty bits", (lab) => {
  let started: Started;
  const takes: Taken[] = [];

  test("doctor sees that the kernel tracks written pages", async () => {
    expect(await lab().json("doctor")).toMatchObject({ works: true, criu: { softDirty: true } });
  });

  test("a base is followed by small increments, each on the one before", async () => {
    started = await startPages(lab(), "pages");
    for (let taken = 0; taken < COUNT; taken++) {
      await moreSteps(lab(), "pages", 5);
      takes.push(await lab().json<Taken>("take pages"));
    }
    expect(takes.map((take) => take.kind)).toEqual(["base", ...Array.from({ length: COUNT - 1 }, () => "increment")]);
    expect(takes.map((take) => take.parent)).toEqual([null, ...Array.from({ length: COUNT - 1 }, (_, index) => index + 1)]);
    const { points } = await lab().json<{ points: readonly Point[] }>("points pages");
    expect(points.map((point) => point.tracking)).toEqual(Array.from({ length: COUNT }, () => "soft-dirty"));
    const [base, ...increments] = takes;
    process.stderr.write(`${takes.map(({ freezeMicros, pages }) => JSON.stringify({ freezeMicros, ...pages })).join("\n")}\n`);
    for (const { pages } of increments) {
      // Huge pages count as written whole; `thin` takes out again what is as it was.
      expect(pages.skipped).toBeGreaterThan(pages.scanned / 4);
      expect(pages.kept).toBeGreaterThan(0);
      expect(pages.kept).toBeLessThanOrEqual(pages.written);
      expect(pages.kept).toBeLessThan((base?.pages.kept ?? 0) / 2);
    }
  });

  for (let point = 1; point <= COUNT; point++) {
    test(`brought back to point ${point} it finds every page and every line right`, async () => {
      if (point === 1) await crash(lab(), started.initPid);
      const restored = await lab().json<Restored>(`restore pages --point ${point}`);
      expect(restored).toMatchObject({ point, run: point + 1, timeline: point + 1 });
      await moreSteps(lab(), "pages", 3);
      expect(await finish(lab(), "pages", restored.run)).toEqual(allRight);
    });
  }
});
