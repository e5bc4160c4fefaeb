/**
 * The line, counted from 1, on which the key stands in a TOML text that is known to be well-formed; the line of the innermost part that is
 * found where the key itself is hidden in an inline table; `null` if nothing of it is there. The TOML parser keeps no positions.
 */
export function lineOf(text: string, path: readonly string[]): number | null {
  let section: readonly string[] = [];
  let quotes: string | null = null;
  let best: { readonly line: number; readonly depth: number } | null = null;
  for (const [at, line] of text.split("\n").entries()) {
    // Lines inside a text of several lines may look like anything.
    const fences = line.split(/"""|'''/).length - 1;
    if (quotes !== null) {
      if (fences % 2 === 1) quotes = null;
      continue;
    }
    if (fences % 2 === 1) quotes = "open";
    const header = /^\s*\[+([^\]]+)\]+\s*(?:#.*)?$/.exec(line);
    const key = /^\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=/.exec(line);
    if (header?.[1] !== undefined) section = words(header[1]);
    else if (key?.[1] === undefined) continue;
    const found = header ? section : [...section, ...words(key?.[1] ?? "")];
    const isOnTheWay = found.length <= path.length && found.every((word, depth) => word === path[depth]);
    if (isOnTheWay && found.length > (best?.depth ?? 0)) best = { line: at + 1, depth: found.length };
  }
  return best?.line ?? null;
}

function words(dotted: string): readonly string[] {
  return [...dotted.matchAll(/"([^"]*)"|'([^']*)'|([\w-]+)/g)].map((parts) => parts[1] ?? parts[2] ?? parts[3] ?? "");
}
