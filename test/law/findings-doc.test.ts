import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { findingTable, type FindingRow } from "../../src/domain/findings/table.ts";

const document = readFileSync(path.join(import.meta.dirname, "../../docs/findings.md"), "utf8");

/** The chapters' text by their code, as they stand. */
const chapters = new Map(
  document
    .split(/^## /m)
    .slice(1)
    .map((chapter) => [/^`([^`]+)`/.exec(chapter)?.[1] ?? chapter.split("\n")[0] ?? "", chapter] as const),
);

test("docs/findings.md has a chapter for each finding, in the table's order, and for nothing else", () => {
  expect([...chapters.keys()]).toEqual(Object.keys(findingTable));
});

test("each chapter gives the level and the options of its finding, and no other CRIU option as its own", () => {
  for (const [code, row] of Object.entries<FindingRow>(findingTable)) {
    const chapter = chapters.get(code) ?? "";
    expect(chapter.split("\n")[0], code).toBe(`\`${code}\` (${row.level})`);
    for (const option of [...(row.dump ?? []), ...(row.restore ?? [])]) expect(chapter, code).toContain(`\`${option}\``);
  }
});

test("each refused or cautioned finding has a remedy in its chapter", () => {
  for (const [code, row] of Object.entries<FindingRow>(findingTable)) {
    if (row.level !== "handled") expect(chapters.get(code), code).toMatch(/^Remedy: \S/m);
  }
});
