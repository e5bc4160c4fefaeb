import { mkdtemp, open, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { holesIn } from "../../../src/host/holes.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "holdfast-holes-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A file of so many pages, of which only those listed were ever written. */
async function holesOf(pages: number, written: readonly number[]): Promise<readonly (readonly [number, number])[]> {
  const handle = await open(path.join(folder, "file"), "w+");
  try {
    await handle.truncate(pages * 4096);
    for (const page of written) await handle.write(Buffer.alloc(4096), 0, 4096, page * 4096);
    return holesIn(handle.fd, pages * 4096).map(({ from, to }) => [from / 4096, to / 4096] as const);
  } finally {
    await handle.close();
  }
}

test("holes are told exactly, at the begin, between, and at the end; pages of zeros that were written are none", async () => {
  expect(await holesOf(10, [2, 3, 7])).toEqual([
    [0, 2],
    [4, 7],
    [8, 10],
  ]);
  expect(await holesOf(3, [0, 1, 2])).toEqual([]);
  expect(await holesOf(4, [])).toEqual([[0, 4]]);
  expect(await holesOf(0, [])).toEqual([]);
});
