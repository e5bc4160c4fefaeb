import { expect, test } from "vitest";
import { cautions, unfitReason } from "../../../src/criu/fit.ts";
import { atLeast, compareVersions } from "../../../src/domain/version.ts";

test("versions are compared as numbers, part by part", () => {
  expect(atLeast("4.10", "4.9")).toBe(true);
  expect(atLeast("4.2", "4.2.1")).toBe(false);
  expect(atLeast("4.2.0", "4.2")).toBe(true);
  expect(atLeast("6.18.44-fc-v595", "6.13")).toBe(true);
  expect(atLeast("v4.2-22-gabcdef", "4.2")).toBe(true);
  expect(["4.2.1", "3.17.1", "4.10"].toSorted(compareVersions)).toEqual(["3.17.1", "4.2.1", "4.10"]);
});

test("an old CRIU on a kernel with the new vDSO is told the version it needs", () => {
  expect(unfitReason("3.17.1", "6.18.44", "")).toContain("4.1");
});

test("another failed check is told in the words of CRIU's own output", () => {
  expect(unfitReason("4.2.1", "5.10.0", "Error (criu/x.c:1): 12 has rseq but kernel lacks get_rseq_conf feature")).toContain(
    "5.13",
  );
  expect(unfitReason("4.2.1", "5.10.0", "something else")).toContain("something else");
  expect(unfitReason("4.2.1", "5.10.0", "")).toBe("`criu check` fails");
});

test("CRIU before 4.2 is cautioned about sockets from kernel 6.16 on, and 4.2 about nothing", () => {
  expect(cautions("4.1.1", "6.18.1").join()).toContain("TCP");
  expect(cautions("4.1.1", "6.15.1").join()).not.toContain("TCP");
  expect(cautions("3.17.1", "6.1.0")).toEqual([]);
  expect(cautions("4.2", "6.18.1")).toEqual([]);
});
