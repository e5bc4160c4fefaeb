import { randomBytes } from "node:crypto";
import type { Files } from "../../engine/ports.ts";
import { capture } from "./capture.ts";
import { preflight } from "./preflight.ts";
import { putBack } from "./put-back.ts";
import { settle } from "./settle.ts";
import { usualRoots } from "./surroundings.ts";
import { undo } from "./undo.ts";

export type FilesOptions = {
  /** Folders that a reboot empties. Any tmpfs and each process's `$TMPDIR` count besides. */
  readonly temporaryRoots?: readonly string[];
};

/** The job's files: captured inside the freeze, put back before a restore. See docs/explanation/files.md. */
export function openFiles(options: FilesOptions = {}): Files {
  const roots = options.temporaryRoots ?? usualRoots;
  return {
    // `earlier` is not used: equal size and times do not prove equal content where a file is mapped (its time lags behind).
    capture: async (tree, rules, folder) => capture(tree, rules, folder, roots),
    settle,
    preflight,
    putBack: async (captured, generationFolder, undoFolder, laterUndo) =>
      putBack(captured, generationFolder, undoFolder, randomBytes(6).toString("hex"), laterUndo),
    undo,
  };
}
