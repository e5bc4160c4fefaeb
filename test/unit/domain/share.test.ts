import { expect, test } from "vitest";
import { parseShare } from "../../../src/domain/share.ts";

test.each([
  ["5%", 0.05],
  ["0%", 0],
  ["100%", 1],
  ["0.5%", 0.005],
  ["100.000%", 1],
  ["007%", 0.07],
])("%s is a share", (text, share) => {
  expect(parseShare(text)).toBeCloseTo(share, 12);
});

test.each([
  "",
  "5",
  "%",
  "-5%",
  "101%",
  "100.001%",
  "5 %",
  " 5%",
  "5%%",
  "1e1%",
  ".5%",
  "5.%",
  "1/7",
  "half",
  "Infinity%",
  "0.0001%",
])("%j is none", (text) => {
  expect(() => parseShare(text)).toThrowError(expect.objectContaining({ code: "share-invalid", exitStatus: 2 }));
});
