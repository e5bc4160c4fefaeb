import { expect, test } from "vitest";
import { chooseTarget, type Target } from "../../../src/domain/target.ts";
import { chainOf, minute } from "./generations.ts";

const points = chainOf("B1 i2 i3 | B4 i5 | B6");
const choose = (target: Target) => chooseTarget(points, target, "melt").number;

test("the latest point is the highest number, on whatever timeline", () => {
  expect(choose({ type: "latest" })).toBe(6);
  expect(chooseTarget(points.toReversed(), { type: "latest" }, "melt").number).toBe(6);
});

test("a timeline narrows every kind of target to its own points", () => {
  expect(choose({ type: "latest", timeline: 1 })).toBe(3);
  expect(choose({ type: "time", at: 99 * minute, timeline: 2 })).toBe(5);
  expect(choose({ type: "point", number: 4, timeline: 2 })).toBe(4);
  expect(() => choose({ type: "point", number: 4, timeline: 1 })).toThrow(expect.objectContaining({ code: "point-unknown" }));
});

test("a time means the last point whose freeze was at or before it", () => {
  expect(choose({ type: "time", at: 3 * minute })).toBe(3);
  expect(choose({ type: "time", at: 4 * minute - 1 })).toBe(3);
  expect(choose({ type: "time", at: 4 * minute })).toBe(4);
});

test("after a step of the clock backward a time means the freeze nearest before it, and the higher number of two alike", () => {
  const [first, second, third] = chainOf("B1 i2 i3");
  if (!first || !second || !third) throw new Error("no chain");
  const stepped = [first, { ...second, takenAt: 10 * minute }, { ...third, takenAt: 5 * minute }];
  expect(chooseTarget(stepped, { type: "time", at: 7 * minute }, "melt").number).toBe(3);
  expect(chooseTarget(stepped, { type: "time", at: 11 * minute }, "melt").number).toBe(2);
  const alike = [first, { ...third, takenAt: 5 * minute }, { ...second, takenAt: 5 * minute }];
  expect(chooseTarget(alike, { type: "time", at: 5 * minute }, "melt").number).toBe(3);
});

test.each<[string, Target]>([
  ["point-unknown", { type: "point", number: 7 }],
  ["timeline-unknown", { type: "latest", timeline: 4 }],
  ["no-point-before", { type: "time", at: minute - 1 }],
  ["no-point-before", { type: "time", at: 3 * minute, timeline: 2 }],
])("%s is the answer to %j", (code, target) => {
  expect(() => choose(target)).toThrow(expect.objectContaining({ code, exitStatus: 10 }));
});

test("without any point the fault names the job", () => {
  const none = () => chooseTarget([], { type: "latest" }, "melt");
  expect(none).toThrow(expect.objectContaining({ code: "no-points", remedy: expect.stringContaining("holdfast take melt") }));
});
