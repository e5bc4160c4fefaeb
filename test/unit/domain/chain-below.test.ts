import { expect, test } from "vitest";
import { chainBelow } from "../../../src/domain/chain-below.ts";

const rows = [
  { number: 1, parent: null },
  { number: 2, parent: 1 },
  { number: 3, parent: 2 },
  { number: 4, parent: null },
  { number: 5, parent: 3 },
];

test("a chain goes down to its base, whatever lies between by number", () => {
  expect(chainBelow(5, rows)).toEqual([5, 3, 2, 1]);
  expect(chainBelow(4, rows)).toEqual([4]);
});

test("it ends at what is not there, and in a ring", () => {
  expect(chainBelow(5, rows.slice(2))).toEqual([5, 3, 2]);
  expect(chainBelow(7, rows)).toEqual([7]);
  expect(
    chainBelow(1, [
      { number: 1, parent: 2 },
      { number: 2, parent: 1 },
    ]),
  ).toEqual([1, 2]);
});
