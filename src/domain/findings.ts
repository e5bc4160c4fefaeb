import type { Finding } from "./finding.ts";
import { deviceFindings } from "./findings/devices.ts";
import { fileFindings } from "./findings/files.ts";
import { memoryFindings } from "./findings/memory.ts";
import { processFindings } from "./findings/processes.ts";
import { socketFindings } from "./findings/sockets.ts";
import type { TreeFacts } from "./tree.ts";

/**
 * Everything in a tree that CRIU must be told about, or cannot do: at most one finding of each code, what hinders first. Pure.
 * That CRIU can do what is called handled is tried in `test/integration/processes`.
 */
export function findings(tree: TreeFacts): readonly Finding[] {
  const all = [processFindings, socketFindings, fileFindings, deviceFindings, memoryFindings].flatMap((look) => look(tree));
  return all.toSorted((one, other) => rank[one.level] - rank[other.level]);
}

const rank: Readonly<Record<Finding["level"], number>> = { refused: 0, caution: 1, handled: 2 };

/** CRIU's options for the dump, each once, in a fixed order. Each is one word (`--name` or `--name=value`). */
export function dumpOptions(found: readonly Finding[]): readonly string[] {
  return unique(found.flatMap((finding) => finding.dumpOptions));
}

/** The same for the restore, which must be given again what the dump was given. */
export function restoreOptions(found: readonly Finding[]): readonly string[] {
  return unique(found.flatMap((finding) => finding.restoreOptions));
}

function unique(options: readonly string[]): readonly string[] {
  return [...new Set(options)].toSorted();
}
