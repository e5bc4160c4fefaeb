import { expect, test } from "vitest";
import { lineOf } from "../../../src/settings/line.ts";

const text = [
  'a = "1"', // 1
  "# b = 2", // 2
  "[one]", // 3
  "b = 2", // 4
  '"c d".e = 3', // 5
  'long = """', // 6
  "b = 9", // 7
  "[two]", // 8
  '"""', // 9
  "[ one . 'sub' ] # note", // 10
  "b = 4", // 11
  "[three]", // 12
  "inline = { x = { y = 1 } }", // 13
].join("\n");

test.each([
  [["a"], 1],
  [["one"], 3],
  [["one", "b"], 4],
  [["one", "c d", "e"], 5],
  [["one", "sub", "b"], 11],
  [["three", "inline", "x", "y"], 13],
  [["one", "missing"], 3],
  [["two"], null],
  [["b"], null],
])("the key %j stands on line %s", (path, line) => {
  expect(lineOf(text, path)).toBe(line);
});
