import { expect, test } from "vitest";
import { drillMemory, drillRoom, undrillable } from "../../../src/domain/drillable.ts";

test("a point tied to another program's socket cannot be drilled, and it is said why", () => {
  const findings = [
    "tcp-inside: TCP connections wholly inside the tree",
    "unix-datagram: sends datagrams to /run/log; it is connected again by name",
  ];
  expect(undrillable({ findings })).toEqual([
    "sends datagrams to /run/log; it is connected again by name (it is connected to a socket of another program, which must not hear from a drill)",
  ]);
  expect(undrillable({ findings: findings.slice(0, 1) })).toEqual([]);
});

test("a drill needs all the memory the tree had, by whichever measure is larger, and something besides", () => {
  const tree = { rootVpid: 300, highestPid: 300, processes: 1, residentBytes: 2 ** 30 };
  const pages = { scanned: 0, written: 100, skipped: 0, kept: 0 };
  expect(drillMemory({ tree, pages })).toBe(Math.ceil(2 ** 30 * 1.1) + 64 * 2 ** 20);
  expect(drillMemory({ tree: { ...tree, residentBytes: 0 }, pages })).toBe(Math.ceil(100 * 4096 * 1.1) + 64 * 2 ** 20);
});

test("room is needed for every file the point holds, those only appended to as well", () => {
  const file = { why: "", mode: 0, uid: 0, gid: 0, mtimeNs: "0", tailSha256: "", stored: null, path: "/f" };
  const files = [{ ...file, how: "copy", size: 10 } as const, { ...file, how: "length", size: 1000 } as const];
  expect(drillRoom({ files, folders: [], needed: [] })).toBe(1010);
});
