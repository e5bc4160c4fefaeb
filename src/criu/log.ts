import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { harmless, logTable, type LogRow } from "./log-table.ts";

/** What a log says went wrong. */
export type Translation = {
  /** CRIU's own words, without time and source place. */
  readonly line: string;
  readonly meaning: string;
  readonly advice: string;
};

/**
 * The cause of a failure, from CRIU's log (`-v1` or more). The first `Error` line is the cause, save that lines which explain win over
 * lines which only sum up, and that some errors are explained by a warning before them. `null`: there is no trouble in the log.
 */
export function translate(logText: string): Translation | null {
  const troubles = logText.split("\n").flatMap((line) => trouble(line) ?? []);
  const errors = troubles.filter(({ level }) => level === "Error");
  const warnings = troubles.filter(({ level }) => level === "Warn");
  return (
    firstMatch(errors, logTable, undefined) ??
    (errors.length > 0 ? firstMatch(warnings, logTable, "warning") : null) ??
    unknown(errors) ??
    firstMatch(errors, logTable, "summary")
  );
}

/** The same in one sentence, for a fault's message. */
export function explain(logText: string): string {
  const found = translate(logText);
  return found ? `${found.meaning} [${found.line}]; ${found.advice}` : "its log names no error";
}

/** The `Error` and `Warn` lines of a log file, which may be large; empty if there is no such file. At most 500 lines. */
export async function readTroubles(file: string): Promise<string> {
  const found: string[] = [];
  const input = createReadStream(file, "utf8");
  try {
    for await (const line of createInterface({ input, crlfDelay: Infinity })) {
      if (trouble(line)) found.push(line);
      if (found.length === 500) break;
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  } finally {
    input.destroy();
  }
  return found.join("\n");
}

type Trouble = { readonly level: "Error" | "Warn"; readonly text: string };

// "(00.046524) Error (criu/util.c:1534): text"; before the log is open there is no time, in a restore a pid follows it.
const shape = /^(?:\(\d+\.\d+\)\s*)?(?:\d+:\s*)?(Error|Warn)\s+\([^)]*\):\s*(.*)$/;

function trouble(line: string): Trouble | null {
  const [, level, text = ""] = shape.exec(line.trim()) ?? [];
  if (level !== "Error" && level !== "Warn") return null;
  if (harmless.some((pattern) => pattern.test(text))) return null;
  return { level, text };
}

function firstMatch(troubles: readonly Trouble[], rows: readonly LogRow[], weight: LogRow["weight"]): Translation | null {
  for (const { text } of troubles) {
    const row = rows.find((one) => one.weight === weight && one.pattern.test(text));
    if (row) return { line: text, meaning: row.meaning, advice: row.advice };
  }
  return null;
}

/** An error that no row fits, not even one that sums up. */
function unknown(errors: readonly Trouble[]): Translation | null {
  const found = errors.find(({ text }) => !logTable.some((row) => row.pattern.test(text)));
  return found
    ? { line: found.text, meaning: "CRIU stopped at something this program has no words for", advice: "look into the log" }
    : null;
}
