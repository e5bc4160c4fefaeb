import { existsSync, readdirSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { codeLines, root, sourcesIn } from "./sources.ts";

const product = sourcesIn(["src", "jobs", "migrations"], [".ts", ".c"]);

test("the law looks at a house, not at an empty lot", () => {
  expect(product.length).toBeGreaterThan(100);
});

describe("the clock, chance and the process", () => {
  const worldly =
    /\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\bprocess\.(env|exit|hrtime)\b|\bconsole\.|\bperformance\.now\b|\brandom(Bytes|UUID|Int)\b/;

  test("are asked in src/host and the mains alone", () => {
    const elsewhere = product.filter(({ file }) => !/^src\/(host|cli|daemon)\//.test(file));
    const found = elsewhere.flatMap(codeLines).filter(({ text }) => worldly.test(text));
    expect(found.map(({ at, text }) => `${at} ${text.trim()}`)).toEqual([]);
  });

  test("are recognised by this law when they are there", () => {
    const own = product.filter(({ file }) => file.startsWith("src/host/")).flatMap(codeLines);
    expect(own.filter(({ text }) => worldly.test(text))).not.toEqual([]);
  });
});

test("the ports are types alone: nothing of src/engine/ports.ts is there at run time", () => {
  const [ports] = product.filter(({ file }) => file === "src/engine/ports.ts");
  if (!ports) throw new Error("there are no ports");
  const begun = codeLines(ports).filter(({ text }) => /^\S/.test(text) && !/^[})]/.test(text));
  expect(
    begun.filter(({ text }) => !/^(export (type|interface)|import type) /.test(text)).map(({ at, text }) => `${at} ${text}`),
  ).toEqual([]);
});

describe("a file", () => {
  test("beyond 250 lines argues for it", () => {
    const long = product.filter(({ lines }) => lines.length > 250);
    const unargued = long.filter(({ lines }) => !lines.some((line) => /Longer than 250 lines because \S+ \S+/.test(line)));
    expect(unargued.map(({ file, lines }) => `${file} (${lines.length} lines)`)).toEqual([]);
  });

  test("is named after a noun or a verb of the house, never after a drawer", () => {
    const drawers = /(^|[/-])(utils?|helpers?|managers?|misc|common|shared|index|types|constants)\.ts$/;
    expect(product.filter(({ file }) => drawers.test(file)).map(({ file }) => file)).toEqual([]);
  });

  test("has no door of its own to others' rooms: nothing is exported on from another file but a type", () => {
    const found = product
      .flatMap(codeLines)
      .filter(({ text }) => text.startsWith("export *") || /^export \{[^}]*\} from\b/.test(text));
    expect(found.map(({ at }) => at)).toEqual([]);
  });
});

test("the house has one word for each thing, and not the others' words", () => {
  // CRIU's own messages may say what they like, and so may constants of the kernel and of SQLite.
  const texts = [
    ...product.filter(({ file }) => file !== "src/criu/log-table.ts"),
    ...sourcesIn(["docs", "config"], [".md", ".toml"]),
  ];
  const foreign = /workload|snapshot|checkpoint(?!\/restore)|\bprun(e|ing)|\bdeltas?\b/i;
  const found = texts
    .flatMap(({ file, lines }) => lines.map((text, index) => ({ at: `${file}:${index + 1}`, text })))
    .filter(({ text }) => foreign.test(text.replaceAll(/\b[A-Z]+_[A-Z_]+\b/g, "")));
  expect(found.map(({ at, text }) => `${at} ${text.trim()}`)).toEqual([]);
});

test("the top of the house holds what was agreed, and nothing else", () => {
  const agreed = [
    "LICENSE",
    "README.md",
    "bench",
    "bin",
    "config",
    "docs",
    "jobs",
    "migrations",
    "package-lock.json",
    "package.json",
    "src",
    "test",
  ];
  const tools = ["knip.json", "tsconfig.build.json", "tsconfig.json", "vitest.config.ts"];
  const unkept = ["node_modules", "dist", "coverage"];
  const entries = readdirSync(root).filter((name) => !name.startsWith("."));
  expect(entries.filter((name) => ![...agreed, ...tools, ...unkept].includes(name))).toEqual([]);
  for (const name of [...agreed, "tsconfig.json", ".ci/run", "bin/holdfast"])
    expect(existsSync(path.join(root, name)), name).toBe(true);
});
