import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, test } from "vitest";

const isRoot = process.geteuid?.() === 0;
if (!isRoot && process.env["HOLDFAST_REQUIRE_CRIU"] === "1") throw new Error("HOLDFAST_REQUIRE_CRIU=1, but these tests need root");
if (!isRoot) process.stderr.write("skipped: mounting needs root\n");

/** Runs `use-up.ts` on a catalogue in a small file system, in a mount namespace that goes away with it. */
function useUp(folder: string, ...mounts: readonly string[]): unknown {
  const program = path.join(import.meta.dirname, "use-up.ts");
  const script = `${mounts.map((one) => `mount ${one} "$1" && `).join("")} exec "$2" "$3" "$1/catalogue.sqlite"`;
  const words = ["--mount", "sh", "-c", script, "sh", folder, process.execPath, program];
  return JSON.parse(execFileSync("unshare", words, { encoding: "utf8", timeout: 60_000 }));
}

describe.skipIf(!isRoot)("a catalogue where nothing can be written", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "holdfast-full-"));
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  test("says that there is no space left, and keeps all that was put before", () => {
    expect(useUp(folder, "-t tmpfs -o size=400k tmpfs")).toStrictEqual({ fault: "vault-full", whole: true });
  });

  test("says that there is no space left when there is none for a new one", () => {
    expect(useUp(folder, "-t tmpfs -o size=8k tmpfs")).toStrictEqual({ fault: "vault-full" });
  });

  test("says that it cannot be written on a read-only mount", () => {
    expect(useUp(folder, "-t tmpfs tmpfs", "-o remount,ro")).toStrictEqual({ fault: "vault-unwritable" });
  });
});
