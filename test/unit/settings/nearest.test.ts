import { expect, test } from "vitest";
import { nearest } from "../../../src/settings/nearest.ts";

const words = ["path", "min-free", "key"];

test.each([
  ["pth", "path"],
  ["min_free", "min-free"],
  ["minfree", "min-free"],
  ["kye", "key"],
  ["keys", "key"],
  ["elephant", null],
  ["", null],
])("%j was meant to be %j", (word, meant) => {
  expect(nearest(word, words)).toBe(meant);
});
