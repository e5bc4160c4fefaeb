import type { Finding } from "./finding.ts";
import type { TreeFacts } from "./tree.ts";
export function findings(_tree: TreeFacts): readonly Finding[] { return []; }
export function dumpOptions(found: readonly Finding[]): readonly string[] { return found.flatMap((f) => f.dumpOptions); }
export function restoreOptions(found: readonly Finding[]): readonly string[] { return found.flatMap((f) => f.restoreOptions); }
