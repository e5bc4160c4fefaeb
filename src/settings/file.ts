import { parse, TomlError } from "smol-toml";
import type { z } from "zod";
import { Fault } from "../faults/fault.ts";
import { keys, sections } from "./keys.ts";
import { lineOf } from "./line.ts";
import { nearest } from "./nearest.ts";
import { schema } from "./schema.ts";

/** A settings file: its name for messages, and its text. */
export type SettingsFile = { readonly name: string; readonly text: string };

/**
 * The values a file gives, as written, each of a known key and of the right kind. Fault: `settings-invalid`, with the line of the first
 * thing that is wrong.
 */
export function readFileValues(file: SettingsFile): Record<string, unknown> {
  const values = parseToml(file);
  const checked = schema.safeParse(values);
  if (checked.success) return values;
  const wrongs = checked.error.issues.flatMap((issue) => wrongsOf(issue, values));
  const placed = wrongs
    .map((wrong) => ({ ...wrong, line: lineOf(file.text, wrong.path) ?? 0 }))
    .toSorted((a, b) => a.line - b.line);
  const [first] = placed;
  if (!first) throw new TypeError("a wrong settings file without a wrong value");
  const others = placed.length === 1 ? "" : ` (and ${placed.length - 1} more in this file)`;
  throw Fault.of("settings-invalid", {
    file: file.name,
    line: first.line === 0 ? "" : `:${first.line}`,
    path: first.path.join("."),
    problem: `${first.problem}${others}`,
  });
}

function parseToml(file: SettingsFile): Record<string, unknown> {
  try {
    return parse(file.text);
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    const [sentence = ""] = cause.message.split("\n");
    const problem = sentence.replace("Invalid TOML document: ", "");
    const path = `column ${cause.column}`;
    throw Fault.of("settings-invalid", { file: file.name, line: `:${cause.line}`, path, problem }, { cause });
  }
}

type Wrong = { readonly path: readonly string[]; readonly problem: string };

function wrongsOf(issue: z.core.$ZodIssue, values: unknown): readonly Wrong[] {
  const path = issue.path.map(String);
  if (issue.code === "unrecognized_keys")
    return issue.keys.map((word) => ({ path: [...path, word], problem: unknown(path, word) }));
  const key = keys.find(({ path: words }) => words.every((word, depth) => word === path[depth]));
  if (!key) return [{ path, problem: `expected a section, [${path.join(".")}], found ${show(valueAt(values, path))}` }];
  return [{ path: key.path, problem: `expected ${key.expected}, found ${show(valueAt(values, key.path))}` }];
}

function unknown(section: readonly string[], word: string): string {
  const inside = keys.filter((key) => key.path.slice(0, -1).join(".") === section.join("."));
  const here = nearest(word, [...inside.map((key) => key.path.at(-1) ?? ""), ...(section.length === 0 ? sections : [])]);
  // Else it may stand in the wrong section: `path` at the top, `max-chain` in [limits].
  const elsewhere = keys.find((key) => key.path.at(-1) === word)?.name;
  const meant = here === null ? elsewhere : [...section, here].join(".");
  return `there is no such key${meant === undefined ? "" : `; did you mean ${meant}?`}`;
}

function valueAt(values: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (value, word) => (typeof value === "object" && value !== null ? Reflect.get(value, word) : undefined),
    values,
  );
}

/** A value for a message: short, and on one line. */
export function show(value: unknown): string {
  const text = typeof value === "bigint" ? String(value) : (JSON.stringify(value) ?? "nothing");
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
