import { expect, test } from "vitest";
import { parseJobName } from "../../../src/domain/name.ts";

test.each(["a", "lj", "LJ-melt_2.1", "0", "_x", "a".repeat(64)])("%s is a job's name", (text) => {
  expect(parseJobName(text)).toBe(text);
});

test.each(["", ".", "..", ".a", "-a", "a/b", "a b", "ä", "a\n", "a\0", "a".repeat(65)])("%j is refused", (text) => {
  expect(() => parseJobName(text)).toThrow(expect.objectContaining({ code: "name-invalid", exitStatus: 2 }));
});
