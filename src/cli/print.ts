import { styleText } from "node:util";
import type { Fault } from "../faults/fault.ts";

/** One report, two renderings: a JSON document, or text for a person. */
export function print(json: boolean, document: unknown, text: string): void {
  clearProgress();
  process.stdout.write(json ? `${JSON.stringify(document)}\n` : text === "" ? "" : `${text}\n`);
}

export function printFault(fault: Fault, json: boolean): void {
  const { code, message, remedy, stillGood } = fault;
  if (json) {
    process.stdout.write(
      `${JSON.stringify({ fault: { code, message, remedy, ...(stillGood === undefined ? {} : { stillGood }) } })}\n`,
    );
    return;
  }
  clearProgress();
  const red = styleText("red", `holdfast: ${message}`, { stream: process.stderr });
  const lines = [`${red} [${code}]`, ...(stillGood === undefined ? [] : [`  your data: ${stillGood}`]), `  next: ${remedy}`];
  process.stderr.write(`${lines.join("\n")}\n`);
}

/** What is printed begins a line of its own, also where a line of progress was left standing. */
function clearProgress(): void {
  if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
}
