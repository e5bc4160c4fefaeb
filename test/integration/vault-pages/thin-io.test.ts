import { randomBytes } from "node:crypto";
import { mkdir, readFile, rm, stat } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ThinReport, ZeroPages } from "../../../src/engine/ports.ts";
import { IN_PARENT, PAGE, PRESENT } from "../../../src/images/pagemap.ts";
import { thin } from "../../../src/vault/thin.ts";
import { BASE } from "../../unit/images/specimens.ts";
import { ignore, type Memory, scratchFolder, writeDump } from "./image-folders.ts";

let root: string;
beforeEach(async () => {
  root = await scratchFolder();
});
afterEach(() => rm(root, { recursive: true, force: true }));

const MIB = 2 ** 20;
const pages = (16 * MIB) / PAGE;
/** Pagemaps, small images, and what the test's own machinery reads and writes meanwhile. */
const slack = MIB / 2;

type Counted = { readonly report: ThinReport; readonly read: number; readonly written: number };

/** What the kernel says this process has read and written, whoever did it. */
async function counted(act: () => Promise<ThinReport>): Promise<Counted> {
  const before = await ioOf();
  const report = await act();
  const after = await ioOf();
  return { report, read: after.read - before.read, written: after.written - before.written };
}

async function ioOf(): Promise<{ readonly read: number; readonly written: number }> {
  const text = await readFile("/proc/self/io", "utf8");
  return { read: Number(/^rchar: (\d+)/m.exec(text)?.[1]), written: Number(/^wchar: (\d+)/m.exec(text)?.[1]) };
}

function expectTrue({ report, read, written }: Counted): void {
  expect(Math.abs(read - report.bytesRead)).toBeLessThan(slack);
  expect(Math.abs(written - report.bytesWritten)).toBeLessThan(slack);
}

async function make(k: number, memories: readonly Memory[], zeros: ZeroPages = "kept"): Promise<Counted> {
  const at = (name: string | number): string => path.join(root, String(name));
  await writeDump(at("staging"), memories);
  await mkdir(at(k));
  const chain = Array.from({ length: k }, (_, i) => at(k - 1 - i));
  const parentLink = k === 0 ? null : `../${k - 1}`;
  const request = { staging: at("staging"), into: at(k), chain, parentLink, zeros };
  return counted(() => thin(request, ignore));
}

const random = randomBytes(16 * MIB);
const heap = (bytes: Buffer): Memory => ({
  name: "pagemap-300.img",
  pagesId: 1,
  entries: [{ page: BASE, pages: bytes.length / PAGE, flags: PRESENT }],
  bytes,
});

describe("what thin reads and writes, as the kernel counts it, is what it reports", () => {
  test("a base is read once, for its digests, and written not at all", async () => {
    const made = await make(0, [heap(random)], "left-out");
    expectTrue(made);
    expect(made.read).toBeLessThan(17.5 * MIB);
    expect(made.written).toBeLessThan(slack);
  });

  test("a base with many zeros is read once, and written once without them", async () => {
    const half = Buffer.from(random);
    for (let page = 0; page < pages; page += 2) half.fill(0, page * PAGE, (page + 1) * PAGE);
    const made = await make(0, [heap(half)], "left-out");
    expectTrue(made);
    // A MiB is the sample's.
    expect(made.read).toBeLessThan(17.5 * MIB);
    expect(made.written).toBeLessThan(8.5 * MIB);
  });

  test("an increment reads its own pages once, and of each parent only the ranges that it is compared with", async () => {
    await make(0, [heap(random)]);
    const changed = Buffer.from(random);
    for (let page = 0; page < pages; page += 64) changed.writeUInt32LE(page + 1, page * PAGE);
    const whole = await make(1, [heap(changed)]);
    expectTrue(whole);
    expect(whole.read).toBeLessThan(32.5 * MIB);
    expect(whole.written).toBeLessThan((await stat(path.join(root, "1/pages-1.img"))).size + slack);

    // As --track-mem leaves it: three MiB of its own, all else the parent's already.
    const own = (3 * MIB) / PAGE;
    const tracked: Memory = {
      ...heap(changed.subarray(0, 3 * MIB)),
      entries: [
        { page: BASE, pages: own, flags: PRESENT },
        { page: BASE + own, pages: pages - own, flags: IN_PARENT },
      ],
    };
    const part = await make(2, [tracked]);
    expectTrue(part);
    expect(part.read).toBeLessThan(6.5 * MIB);
  });
});
