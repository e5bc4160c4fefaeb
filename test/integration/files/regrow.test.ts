import { createHash } from "node:crypto";
import { appendFile, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Capture } from "../../../src/domain/captured.ts";
import { Fault } from "../../../src/faults/fault.ts";
import { openFiles } from "../../../src/host/files/files.ts";

const files = openFiles({ temporaryRoots: [] });

type Life =
  | { readonly act: "write"; readonly text: string }
  | { readonly act: "take" }
  | { readonly act: "restore"; readonly which: number };

const life = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ act: fc.constant("write" as const), text: fc.string({ minLength: 1, maxLength: 12 }) }) },
    { weight: 2, arbitrary: fc.constant({ act: "take" as const }) },
    { weight: 2, arbitrary: fc.record({ act: fc.constant("restore" as const), which: fc.nat(20) }) },
  ),
  { minLength: 3, maxLength: 25 },
);

/** A log, the points that know its length, and the restores that cut it. */
async function live(folder: string, acts: readonly Life[]): Promise<void> {
  const log = path.join(folder, "log");
  await writeFile(log, "");
  const points: { timeline: number; content: string; capture: Capture }[] = [];
  let timeline = 1;
  for (const one of acts) {
    if (one.act === "write") await appendFile(log, one.text);
    else if (one.act === "take") points.push({ timeline, content: await readFile(log, "utf8"), capture: await captureOf(log) });
    else {
      const point = points[one.which % Math.max(1, points.length)];
      if (!point) continue;
      const undo = (run: number) => path.join(folder, `undo-${run}`);
      const later = Array.from({ length: timeline - point.timeline }, (_, index) => undo(timeline - index));
      await files.preflight(point.capture, 1, folder, later);
      timeline += 1;
      await files.putBack(point.capture, folder, undo(timeline), later);
      expect(await readFile(log, "utf8")).toBe(point.content);
    }
  }
}

async function captureOf(log: string): Promise<Capture> {
  const content = await readFile(log);
  const { size, mode, uid, gid } = await stat(log);
  const { mtimeNs } = await stat(log, { bigint: true });
  const tailSha256 = createHash("sha256").update(content.subarray(-65_536)).digest("hex");
  const file = {
    path: log,
    how: "length" as const,
    why: "",
    size,
    mode: mode & 0o7777,
    uid,
    gid,
    mtimeNs: `${mtimeNs}`,
    tailSha256,
    stored: null,
  };
  return { files: [file], folders: [], needed: [] };
}

describe("a file that is only appended to", () => {
  test("is what it was at every point, whatever was restored and written in between", { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(life, async (acts) => {
        const folder = await mkdtemp(path.join(os.tmpdir(), "holdfast-regrow-"));
        try {
          await live(folder, acts);
        } finally {
          await rm(folder, { recursive: true });
        }
      }),
      { numRuns: 60 },
    );
  });

  test("is refused and left alone where the undo folder with its end is gone", async () => {
    const folder = await mkdtemp(path.join(os.tmpdir(), "holdfast-regrow-"));
    const log = path.join(folder, "log");
    await writeFile(log, "one ");
    const older = await captureOf(log);
    await appendFile(log, "two ");
    const newer = await captureOf(log);
    await files.putBack(older, folder, path.join(folder, "undo-2"), []);
    await appendFile(log, "other lines");
    await rm(path.join(folder, "undo-2"), { recursive: true });
    const refused = files.preflight(newer, 2, folder, [path.join(folder, "undo-2")]);
    await expect(refused).rejects.toThrow(Fault);
    expect(await readFile(log, "utf8")).toBe("one other lines");
    await rm(folder, { recursive: true });
  });

  test("is as it was before when the putting back of its end is undone", async () => {
    const folder = await mkdtemp(path.join(os.tmpdir(), "holdfast-regrow-"));
    const log = path.join(folder, "log");
    await writeFile(log, "one ");
    const older = await captureOf(log);
    await appendFile(log, "two ");
    const newer = await captureOf(log);
    const [first, second] = [path.join(folder, "undo-2"), path.join(folder, "undo-3")];
    await files.putBack(older, folder, first, []);
    await appendFile(log, "other lines");
    await files.putBack(newer, folder, second, [first]);
    expect(await readFile(log, "utf8")).toBe("one two ");
    await files.undo(second);
    expect(await readFile(log, "utf8")).toBe("one other lines");
    await rm(folder, { recursive: true });
  });
});
