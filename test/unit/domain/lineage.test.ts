import { expect, test } from "vitest";
import { lineage, workSince } from "../../../src/domain/lineage.ts";
import { restorePoints } from "../../../src/domain/restorable.ts";
import type { Run } from "../../../src/domain/run.ts";
import { chainOf, minute } from "./generations.ts";

/** Run n began in minute `started` from point `from`, and ended in minute `ended`. */
const run = (number: number, from: number | null, started: number, ended: number | null): Run => ({
  number,
  timeline: number,
  startedAt: started * minute,
  from,
  init: null,
  root: { pid: 1, startTicks: 1, bootId: "boot" },
  rootVpid: 2,
  endedAt: ended === null ? null : ended * minute,
  ending: null,
});

const numbers = (text: string, ...runs: readonly Run[]) => {
  const generations = chainOf(text);
  return lineage(runs, generations, restorePoints(generations)).map((point) => point.number);
};

test("a job that never came back has all its points, newest first", () => {
  expect(numbers("B1 i2 B3", run(1, null, 0, 9))).toEqual([3, 2, 1]);
});

test("who went back to an older point does not want those that were left behind", () => {
  expect(numbers("B1 i2 i3", run(1, null, 0, 4), run(2, 1, 5, 6))).toEqual([1]);
  expect(numbers("B1 i2 i3 | B4", run(1, null, 0, 4), run(2, 1, 5, 6))).toEqual([4, 1]);
  expect(numbers("B1 i2 i3 | B4 i5 | B6", run(1, null, 0, 4), run(2, 2, 5, 6), run(3, 4, 7, 8))).toEqual([6, 4, 2, 1]);
});

test("points that cannot be restored are left out, and the way goes on below them", () => {
  expect(numbers("B1 i2f i3e | B4f", run(1, null, 0, 4), run(2, 2, 5, 6))).toEqual([1]);
});

test("where it is not known what a run came from, all older points count", () => {
  expect(numbers("B1 i2 i3", run(1, null, 0, 4), run(2, null, 5, 6))).toEqual([3, 2, 1]);
  // Point 7 is gone, with all that was known of it.
  expect(numbers("B1 i2 i3 B8", run(1, null, 0, 9), run(2, 7, 10, 11))).toEqual([3, 2, 1]);
});

const lost = (point: number, text: string, ...runs: readonly Run[]) => {
  const generations = chainOf(text);
  const milliseconds = workSince(
    generations.find((one) => one.number === point)!,
    runs,
    generations,
  );
  return milliseconds === null ? null : milliseconds / minute;
};

test("what is lost is the work since the point, without the time in which nothing ran", () => {
  expect(lost(2, "B1 i2 i3", run(1, null, 0, 5))).toBe(3);
  // Came back from 2 in minute 100, and died in minute 101: one minute, and for point 1 the one between the points.
  expect(lost(2, "B1 i2 i3", run(1, null, 0, 5), run(2, 2, 100, 101))).toBe(1);
  expect(lost(1, "B1 i2 i3", run(1, null, 0, 5), run(2, 2, 100, 101))).toBe(2);
});

test("nothing is said of a run that lives, nor of a point it does not descend from", () => {
  expect(lost(1, "B1 i2", run(1, null, 0, null))).toBeNull();
  expect(lost(3, "B1 i2 i3", run(1, null, 0, 5), run(2, 2, 100, 101))).toBeNull();
});
