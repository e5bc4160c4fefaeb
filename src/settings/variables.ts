import { Fault } from "../faults/fault.ts";
import { show } from "./file.ts";
import { type Key, keys } from "./keys.ts";
import { nearest } from "./nearest.ts";

/** Values by a setting's name, as the file would give them. */
export type Values = ReadonlyMap<Key, unknown>;

/** Variables that start with `HOLDFAST_` and are no settings: for the launcher, the tests, and the small programs we start. */
const others = new Set([
  "HOLDFAST_CONFIG",
  "HOLDFAST_NODE",
  "HOLDFAST_REQUIRE_CRIU",
  "HOLDFAST_REQUIRE_LAB",
  "HOLDFAST_HOOK",
  "HOLDFAST_LAST_PID",
  "HOLDFAST_CRIU_COMMAND",
]);

/** The settings the environment gives. A misspelled variable is refused, as a misspelled key is. Fault: `settings-invalid`. */
export function readVariables(env: Readonly<Record<string, string | undefined>>): Values {
  const values = new Map<Key, unknown>();
  for (const [variable, text] of Object.entries(env)) {
    if (text === undefined || !variable.startsWith("HOLDFAST_")) continue;
    if (others.has(variable) || variable.startsWith("HOLDFAST_TEST_")) continue;
    const key = keys.find((one) => one.variable === variable);
    if (!key) throw wrong("the environment", variable, `there is no such variable${meant(variable)}`);
    values.set(key, checked(key, text, "the environment", `${variable} (${key.name})`));
  }
  return values;
}

/** The settings the command line gives, by their names in the file. Fault: `settings-invalid`. */
export function readFlags(flags: Readonly<Record<string, string>>): Values {
  const values = new Map<Key, unknown>();
  for (const [name, text] of Object.entries(flags)) {
    const key = keys.find((one) => one.name === name);
    if (!key) throw wrong("the command line", name, "there is no such key");
    values.set(key, checked(key, text, "the command line", name));
  }
  return values;
}

function checked(key: Key, text: string, source: string, path: string): unknown {
  const value = key.fromText(text);
  if (!key.schema.safeParse(value).success) throw wrong(source, path, `expected ${key.expected}, found ${show(text)}`);
  return value;
}

function meant(variable: string): string {
  const near =
    variable === "HOLDFAST_VAULT_PATH" ? "HOLDFAST_VAULT" : nearest(variable, [...keys.map((key) => key.variable), ...others]);
  return near === null ? "" : `; did you mean ${near}?`;
}

function wrong(file: string, path: string, problem: string): Fault {
  return Fault.of("settings-invalid", { file, line: "", path, problem });
}
