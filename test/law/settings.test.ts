import { readFileSync } from "node:fs";
import { parse } from "smol-toml";
import { expect, test } from "vitest";
import { keys } from "../../src/settings/keys.ts";
import { readSettings } from "../../src/settings/read.ts";

const text = readFileSync(`${import.meta.dirname}/../../config/holdfast.toml`, "utf8");

test("config/holdfast.toml read as settings gives exactly the defaults", () => {
  const file = { name: "config/holdfast.toml", text };
  expect(readSettings({ file, env: {}, flags: {} })).toEqual(readSettings({ file: null, env: {}, flags: {} }));
});

test("config/holdfast.toml has every key of the schema, each with a comment above it, and no other", () => {
  expect(namesIn(parse(text)).toSorted()).toEqual(keys.map((key) => key.name).toSorted());
  const lines = text.split("\n");
  for (const [at, line] of lines.entries()) if (/^[\w-]+ = /.test(line)) expect(lines[at - 1], `above ${line}`).toMatch(/^# /);
});

test("no two settings have one variable, and no description is missing", () => {
  expect(new Set(keys.map((key) => key.variable)).size).toBe(keys.length);
  for (const key of keys) expect(key.expected, key.name).not.toBe("another value");
});

function namesIn(table: object, above = ""): readonly string[] {
  return Object.entries(table).flatMap(([word, value]) => {
    const name = `${above}${word}`;
    return typeof value === "object" && value !== null && !Array.isArray(value) ? namesIn(value as object, `${name}.`) : [name];
  });
}
