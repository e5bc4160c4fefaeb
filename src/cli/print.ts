import { styleText } from "node:util";
import type { Fault } from "../faults/fault.ts";

/** One report, two renderings: a JSON document, or text for a person. */
export function print(json: boolean, document: unknown, text: string): void {
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
  const red = styleText("red", `holdfast: ${message}`, { stream: process.stderr });
  const lines = [`${red} [${code}]`, ...(stillGood === undefined ? [] : [`  your data: ${stillGood}`]), `  next: ${remedy}`];
  process.stderr.write(`${lines.join("\n")}\n`);
}
