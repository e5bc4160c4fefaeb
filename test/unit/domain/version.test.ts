import { expect, test } from "vitest";
import { compareVersions } from "../../../src/domain/version.ts";

test.each([
  ["4.2.1", "4.2", 1],
  ["4.2", "4.2.0", 0],
  ["3.17.1", "4.0", -1],
  ["4.10", "4.9", 1],
])("version %s against %s", (a, b, sign) => {
  expect(Math.sign(compareVersions(a, b))).toBe(sign);
  expect(Math.sign(compareVersions(b, a))).toBe(sign === 0 ? 0 : -sign);
});
