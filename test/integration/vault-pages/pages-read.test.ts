import { rm, writeFile } from "node:fs/promises";
import path from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { PAGE } from "../../../src/images/pagemap.ts";
import { PagesReader, Scratch } from "../../../src/vault/pages-read.ts";
import { scratchFolder } from "./image-folders.ts";

const pages = 400;
const content = [0, 1].map((source) =>
  Buffer.from(Array.from({ length: pages * PAGE }, (_, i) => (i >> 12) * 31 + i * 7 + source)),
);
let folder: string;
let files: readonly string[];

beforeAll(async () => {
  folder = await scratchFolder();
  files = content.map((_, i) => path.join(folder, `pages-${i}.img`));
  for (const [i, bytes] of content.entries()) await writeFile(files[i] ?? "", bytes);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const wanted = fc
  .array(fc.record({ source: fc.nat(1), gap: fc.oneof(fc.nat(8), fc.nat(60)), pages: fc.integer({ min: 1, max: 3 }) }), {
    maxLength: 20,
  })
  .map((steps) => {
    const ends = [0, 0];
    return steps.flatMap(({ source, gap, pages: length }) => {
      const begin = (ends[source] ?? 0) + gap;
      ends[source] = begin + length;
      return begin + length <= pages ? [{ source, offset: begin * PAGE, bytes: length * PAGE }] : [];
    });
  });

test("what is wanted is read, piece by piece, and at most five times as much in all", async () => {
  const scratch = new Scratch();
  await fc.assert(
    fc.asyncProperty(wanted, async (list) => {
      const reader = new PagesReader(files);
      const read = await reader.read(list, scratch);
      for (const [i, { source, offset, bytes }] of list.entries()) {
        expect(content[source]?.subarray(offset, offset + bytes).equals(read[i] ?? Buffer.alloc(0))).toBe(true);
      }
      const sum = list.reduce((bytes, each) => bytes + each.bytes, 0);
      expect(reader.bytesRead).toBeGreaterThanOrEqual(sum);
      expect(reader.bytesRead).toBeLessThanOrEqual(5 * sum);
      await reader.close();
    }),
  );
});

test("a piece beyond the end, and a file that is not there, are faults", async () => {
  const reader = new PagesReader([files[0] ?? "", path.join(folder, "none")]);
  const read = (source: number, page: number) => reader.read([{ source, offset: page * PAGE, bytes: 2 * PAGE }], new Scratch());
  await expect(read(0, pages - 1)).rejects.toMatchObject({
    code: "image-malformed",
    message: expect.stringContaining("it ends at byte"),
  });
  await expect(read(1, 0)).rejects.toMatchObject({ code: "image-malformed", message: expect.stringContaining("it is missing") });
  await reader.close();
});
