import type { Capture } from "./captured.ts";

/**
 * Files that points need and the vault does not hold: a look at the vault says nothing of them, a restore checks them before it changes
 * anything. Counted once by path, however many points need them.
 */
export type OutsideFiles = {
  /** Mapped or read only: programs, libraries, inputs. They must be the same at a restore. */
  readonly needed: number;
  /** Those among them that are known by size and time alone: too large to be digested, or changed while they were. */
  readonly undigested: number;
  /** Appended to only: the file itself is the content, a restore cuts it back to its length. */
  readonly byLength: number;
  /** Written, and not captured: over the limit, or excluded. */
  readonly leftOut: number;
};

/** What these captures tell of; a path that one of them needs undigested counts as that. */
export function outsideFiles(captures: readonly Capture[]): OutsideFiles {
  const needed = captures.flatMap((capture) => capture.needed);
  const files = captures.flatMap((capture) => capture.files);
  return {
    needed: paths(needed),
    undigested: paths(needed.filter(({ sha256 }) => sha256 === "")),
    byLength: paths(files.filter(({ how }) => how === "length")),
    leftOut: paths(files.filter(({ how }) => how === "left-out")),
  };
}

function paths(files: readonly { readonly path: string }[]): number {
  return new Set(files.map(({ path }) => path)).size;
}
