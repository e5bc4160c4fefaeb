import { randomBytes } from "node:crypto";
import type { Files } from "../../engine/ports.ts";
import { classify } from "../../domain/capture-plan.ts";
import { capture } from "./capture.ts";
import { AheadCopies } from "./copies-ahead.ts";
import { preflight } from "./preflight.ts";
import { putBack } from "./put-back.ts";
import { settle } from "./settle.ts";
import { surroundingsOf, usualRoots } from "./surroundings.ts";
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
    capture: async (tree, rules, folder, _earlier, ahead = null) => {
      if (ahead !== null && !(ahead instanceof AheadCopies)) throw new Error("these copies were not made here");
      return capture(tree, rules, folder, roots, ahead);
    },
    copyAhead: async (tree, lookedAt, rules, folder) => {
      const { files } = classify(tree, surroundingsOf(tree, rules, roots));
      return AheadCopies.make({ tree, lookedAt, files }, folder, rules.limitBytes);
    },
    settle,
    preflight,
    putBack: async (captured, generationFolder, undoFolder, laterUndo) =>
      putBack(captured, generationFolder, undoFolder, randomBytes(6).toString("hex"), laterUndo),
    undo,
  };
}
