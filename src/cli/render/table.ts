import { stripVTControlCharacters } from "node:util";

/** Columns padded to their widest cell, two spaces between; numbers (cells that begin with a digit) to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => all.reduce((widest, row) => Math.max(widest, width(row[column] ?? "")), 0));
  const toTheRight = head.map((_, column) => rows.length > 0 && rows.every((row) => /^([\d-]|$)/.test(row[column] ?? "")));
  return all
    .map((row) =>
      row
        .map((cell, column) => pad(cell, widths[column] ?? 0, toTheRight[column] ?? false))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

function pad(cell: string, to: number, right: boolean): string {
  const gap = " ".repeat(Math.max(0, to - width(cell)));
  return right ? gap + cell : cell + gap;
}

function width(cell: string): number {
  // Most cells are plain, and a table may have a hundred thousand of them.
  if (/^[ -~]*$/.test(cell)) return cell.length;
  return Array.from(stripVTControlCharacters(cell)).length;
}
