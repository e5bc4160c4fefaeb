import { expect, test } from "vitest";
import { isSame } from "../../../src/host/drill/stopped-memory.ts";
import { placeOf, planView, viewText } from "../../../src/host/drill/view.ts";

const mountinfo = `22 27 0:21 / /proc rw,relatime - proc proc rw
35 22 0:40 / /proc/sys/fs/binfmt_misc rw,relatime - binfmt_misc binfmt_misc rw
23 27 0:22 / /sys rw,nosuid,nodev,noexec - sysfs sysfs rw
24 27 0:6 / /dev rw,nosuid - devtmpfs udev rw
25 24 0:23 / /dev/shm rw,nosuid,nodev - tmpfs tmpfs rw
26 24 0:24 / /dev/pts rw - devpts devpts rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 25 0:27 / /dev/shm rw - tmpfs tmpfs rw
40 27 8:1 / /data ro,relatime - xfs /dev/sdb1 rw
41 27 8:2 / /old rw,relatime - ext4 /dev/sdc1 ro
42 27 8:3 / /scratch\\040space rw,relatime shared:7 - xfs /dev/sdd1 rw
43 27 0:50 / /net rw - autofs auto rw
44 27 0:51 / /bad\\012name rw - tmpfs tmpfs rw
`;

test("whatever can be written to is under private copies, the kernel's own is read-only, terminals are new", () => {
  expect(planView(mountinfo)).toEqual([
    { kind: "copies", flags: 0, path: "/" },
    { kind: "read-only", flags: 14, path: "/sys" },
    { kind: "copies", flags: 2, path: "/dev" },
    { kind: "read-only", flags: 0, path: "/data" },
    { kind: "read-only", flags: 0, path: "/old" },
    { kind: "copies", flags: 0, path: "/scratch space" },
    { kind: "devpts", flags: 0, path: "/dev/pts" },
    { kind: "copies", flags: 0, path: "/dev/shm" },
  ]);
});

test("the outer place comes before the inner, whatever the order of the mounts", () => {
  const places = planView(mountinfo).map(({ path }) => path);
  for (const [index, path] of places.entries())
    for (const inner of places.slice(0, index)) expect(inner.startsWith(`${path}/`)).toBe(false);
});

test("a file lies in the innermost place that holds it", () => {
  const places = planView(mountinfo);
  const at = (file: string) => places[placeOf(places, file)]?.path;
  expect(at("/home/me/log")).toBe("/");
  expect(at("/dev/shm/segment")).toBe("/dev/shm");
  expect(at("/dev/shmoo")).toBe("/dev");
  expect(at("/scratch space/out")).toBe("/scratch space");
});

test("the list has one line each, the network's addresses last", () => {
  expect(viewText([{ kind: "copies", flags: 2, path: "/a b" }], ["10.0.0.5"])).toBe("copies 2 /a b\naddress 0 10.0.0.5\n");
});

test("a page is the same but for the bytes that the kernel writes by itself", () => {
  const bytes = new Uint8Array(4096).fill(7);
  const there = Uint8Array.from(bytes);
  there[100] = 8;
  expect(isSame(there, { bytes, unsteady: [] })).toBe(false);
  expect(isSame(there, { bytes, unsteady: [{ from: 100, to: 101 }] })).toBe(true);
  expect(isSame(there, { bytes, unsteady: [{ from: 101, to: 132 }] })).toBe(false);
});
