import { mkdtempSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bystanders, offences } from "./offences.ts";

const root = path.resolve(import.meta.dirname, "../..");
const config = path.join(root, ".dependency-cruiser.cjs");

type Rule = { readonly name: string; readonly comment: string; readonly severity: string };
type Violation = { readonly from: string; readonly rule: { readonly name: string } };
type Cruise = {
  readonly modules: readonly { readonly source: string }[];
  readonly summary: { readonly violations: readonly Violation[] };
};

const { forbidden: rules } = createRequire(import.meta.url)(config) as { forbidden: readonly Rule[] };

async function cruise(folder: string, rooms: readonly string[]): Promise<Cruise> {
  const depcruise = path.join(root, "node_modules/.bin/depcruise");
  const { stdout } = await execa(depcruise, ["--config", config, "--output-type", "json", ...rooms], {
    cwd: folder,
    reject: false,
  });
  return JSON.parse(stdout) as Cruise;
}

describe("the house", () => {
  test("keeps its walls, and every file of it was looked at", async () => {
    const rooms = ["src", "jobs", "migrations"];
    const { modules, summary } = await cruise(root, rooms);
    const onDisk = rooms.flatMap((room) =>
      readdirSync(path.join(root, room), { recursive: true, encoding: "utf8" }).map((name) => `${room}/${name}`),
    );
    const files = onDisk.filter((name) => name.endsWith(".ts"));
    const seen = new Set(modules.map((module) => module.source));
    expect(files.length).toBeGreaterThan(20);
    expect(files.filter((name) => !seen.has(name))).toEqual([]);
    expect(summary.violations.map(({ from, rule }) => `${rule.name}: ${from}`)).toEqual([]);
  }, 60_000);

  test("has doors in jobs/ of at most 25 lines", () => {
    const doors = readdirSync(path.join(root, "jobs")).filter((name) => name.endsWith(".ts"));
    expect(doors).not.toEqual([]);
    for (const door of doors)
      expect(
        readFileSync(path.join(root, "jobs", door), "utf8")
          .trimEnd()
          .split("\n").length,
        door,
      ).toBeLessThanOrEqual(25);
  });
});

describe("a house that offends", () => {
  let folder = "";
  let violations: readonly Violation[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(path.join(os.tmpdir(), "holdfast-walls-"));
    symlinkSync(path.join(root, "node_modules"), path.join(folder, "node_modules"));
    for (const file of bystanders) plant(folder, file, "export const door = 1;\n");
    for (const files of Object.values(offences)) for (const [file, text] of Object.entries(files)) plant(folder, file, text);
    violations = (await cruise(folder, ["src", "jobs", "migrations"])).summary.violations;
  }, 60_000);

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test.each(Object.entries(offences))("is refused by the rule %s", (name, files) => {
    const refused = violations.filter((violation) => violation.rule.name === name).map((violation) => violation.from);
    expect(refused).toEqual(expect.arrayContaining(Object.keys(files).slice(0, 1)));
  });

  test("offends against every rule there is, each an error with a sentence that says where the code belongs", () => {
    expect(rules.map((rule) => rule.name).toSorted()).toEqual(Object.keys(offences).toSorted());
    for (const { name, comment, severity } of rules) {
      expect(severity, name).toBe("error");
      expect(comment.length, name).toBeGreaterThan(40);
    }
  });
});

function plant(folder: string, file: string, text: string): void {
  mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
  writeFileSync(path.join(folder, file), text);
}
