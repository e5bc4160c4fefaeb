import { expect, test } from "vitest";
import { expectedBytes, planStaging } from "../../../src/domain/plan-staging.ts";

const GIB = 2 ** 30;
const base = { leavesPages: false, residentBytes: 4 * GIB, pagesWritten: 1000 };
const shm = { folder: "/dev/shm/hf", freeBytes: 100 * GIB, inMemory: true };

test("a dump that leaves nothing to a parent may be as large as the job; one that does, twice its last, and never more than the job", () => {
  expect(expectedBytes(base)).toBeGreaterThan(4 * GIB);
  expect(expectedBytes({ ...base, leavesPages: true })).toBeLessThan(GIB / 8);
  expect(expectedBytes({ ...base, leavesPages: true, pagesWritten: null })).toBeGreaterThan(4 * GIB);
  expect(expectedBytes({ ...base, leavesPages: true, pagesWritten: 2 ** 30 })).toBe(expectedBytes(base));
});

test("without a staging place dumps land in the vault, and nothing is said", () => {
  expect(planStaging(null, 0, base)).toEqual({ where: "vault", why: null });
});

test("a staging place with too little room is passed over, and the sentence has the figures", () => {
  const { where, why } = planStaging({ ...shm, freeBytes: 2 * GIB }, 100 * GIB, base);
  expect(where).toBe("vault");
  expect(why).toMatch(/^\/dev\/shm\/hf has 2 GiB free, and this dump may need 4\.1 GiB$/);
});

test("one in memory is passed over where the dump would take more than half of what is left; one on a device is not", () => {
  expect(planStaging(shm, 7 * GIB, base)).toMatchObject({ where: "vault", why: expect.stringContaining("7 GiB of memory") });
  expect(planStaging(shm, 9 * GIB, base)).toEqual({ where: "staging", why: null });
  expect(planStaging({ ...shm, inMemory: false }, GIB, base)).toEqual({ where: "staging", why: null });
});
