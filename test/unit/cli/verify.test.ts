import { expect, test } from "vitest";
import { verifyText } from "../../../src/cli/render/verify.ts";
import type { VerifyReport } from "../../../src/engine/verify.ts";
import { named } from "../../contract/catalogue-values.ts";

function aReport(change: Partial<VerifyReport> = {}): VerifyReport {
  return {
    job: named("lj"),
    checked: [1, 2, 3],
    damage: [],
    read: { files: 3, bytes: 3 * 1024 },
    unread: [],
    outside: { needed: 0, undigested: 0, byLength: 0, leftOut: 0 },
    ...change,
  };
}

test("what was read whole is said to be whole; what was read in part is not", () => {
  expect(verifyText(aReport())).toBe("lj: 3 points read back, all whole");
  const unread = [
    { number: 1, file: "pages-1.img", bytes: 1024 },
    { number: 2, file: "files/0", bytes: 4096 },
  ];
  expect(verifyText(aReport({ unread })).split("\n")).toEqual([
    "lj: 3 points looked at, no damage found",
    "  not read: 5 KiB in 2 files of pages and captured files, of 8 KiB; they are there with the right length",
  ]);
});

test("damage is named by generation and file", () => {
  expect(verifyText(aReport({ damage: [{ number: 2, file: "pages-1.img", why: "cut" }] })).split("\n")).toEqual([
    "lj: damage found; the next take makes a base",
    "  point 2: pages-1.img: cut",
  ]);
});

test("what the vault does not hold is said, and that a restore looks at it", () => {
  expect(verifyText(aReport({ outside: { needed: 12, undigested: 1, byLength: 2, leftOut: 3 } }))).toContain(
    "  not in the vault, checked by a restore: files 12 needed unchanged (1 known by size and time alone), 2 kept by length, 3 left out",
  );
});
