import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { Fault } from "../../src/faults/fault.ts";
import { type FaultCode, type FaultRow, table } from "../../src/faults/table.ts";

const doc = readFileSync(`${import.meta.dirname}/../../docs/errors.md`, "utf8");
const rows = Object.entries(table) as [FaultCode, FaultRow][];

/** Chapter texts by their code. */
const chapters = new Map(
  doc
    .split(/^### /m)
    .slice(1)
    .map((chapter) => [/^`([a-z0-9-]+)`/.exec(chapter)?.[1] ?? chapter.slice(0, 20), chapter.split(/^## /m)[0] ?? ""]),
);

describe("docs/errors.md", () => {
  test("has one chapter for each code of the table, and none more", () => {
    expect([...chapters.keys()].toSorted()).toEqual(rows.map(([code]) => code).toSorted());
    expect(doc.match(/^### /gm)?.length).toBe(rows.length);
  });

  test.each(rows)("tells of %s its exit status, what it means for the data, and what to do", (code, row) => {
    const chapter = chapters.get(code) ?? "";
    expect(chapter).toMatch(new RegExp(`^Exit status ${row.exit}\\. `, "m"));
    expect(chapter).toMatch(/\*\*Your data\.\*\* .{15}/);
    expect(chapter).toMatch(/\*\*What to do\.\*\* .{15}/);
  });

  test("lists every exit status there is", () => {
    const listed = [...doc.matchAll(/^\| (\d+) \|/gm)].map((match) => Number(match[1]));
    expect(listed).toEqual([0, 1, 2, 3, 10, 11, 12, 13, 14, 130]);
    for (const [code, row] of rows) expect(listed, code).toContain(row.exit);
  });
});

describe("the table of faults", () => {
  test.each(rows)("gives %s a sentence and something to do, with every blank filled in", (code, row) => {
    const blanks = [...`${row.message} ${row.remedy}`.matchAll(/\{(\w+)\}/g)].map((match) => [match[1] ?? "", "X"]);
    const fault = Fault.of(code, Object.fromEntries(blanks) as never);
    expect(fault.message).not.toMatch(/[{}]|\.$/);
    expect(fault.remedy).not.toMatch(/[{}]/);
    expect(fault.remedy).not.toBe("");
    expect(fault.exitStatus).toBe(row.exit);
  });

  test("has codes of small letters and dashes", () => {
    for (const [code] of rows) expect(code).toMatch(/^[a-z]+(-[a-z]+)*$/);
  });
});
