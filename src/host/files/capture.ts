import { copyFileSync, constants, existsSync, lstatSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { copyFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { classify, type PlannedFile, type ReachedFile } from "../../domain/capture-plan.ts";
import type { Capture, CapturedFile, CapturedFolder, NeededFile } from "../../domain/captured.ts";
import type { FileRules } from "../../domain/job.ts";
import type { TreeFacts } from "../../domain/tree.ts";
import { attributesOf } from "./attributes.ts";
import { type AheadCopies, type EarlyCopy, smallBytes, withSeen } from "./copies-ahead.ts";
import { findReached, type Seen } from "./reach.ts";
import { surroundingsOf } from "./surroundings.ts";
import { topUp } from "./top-up.ts";
import { errnoOf, isFull, vaultFault } from "./translate.ts";

/**
 * Runs inside the freeze, so it only looks and copies: nothing is hashed or synced here (`settle` does that), tails and digests
 * are empty strings until then. A copy is a reflink where the filesystem can; one made `ahead` is taken as it is, or made what the file is
 * now. A crash in the middle leaves files in `folder/files`, which go with the generation that was never sealed. Faults: `vault-full`,
 * `vault-unwritable`, `io-failed`.
 */
export async function capture(
  tree: TreeFacts,
  rules: FileRules,
  folder: string,
  roots: readonly string[],
  ahead: AheadCopies | null = null,
): Promise<Capture> {
  const plan = classify(tree, surroundingsOf(tree, rules, roots));
  const early = (seen: Seen) => ahead?.take(seen, tree) ?? null;
  const store = new Store(folder, rules.limitBytes, early);
  const files: CapturedFile[] = [];
  for (const planned of [...plan.files, ...plan.unlinked.flatMap(otherNameOf)]) files.push(...(await store.take(planned)));
  return { files, folders: plan.folders.flatMap(folderAt), needed: plan.needed.flatMap(neededAt) };
}

class Store {
  readonly #folder: string;
  readonly #limitBytes: number;
  readonly #early: Early;
  #next = 0;

  constructor(folder: string, limitBytes: number, early: Early) {
    this.#folder = folder;
    this.#limitBytes = limitBytes;
    this.#early = early;
  }

  async take(planned: PlannedFile): Promise<CapturedFile[]> {
    const seen = findReached(planned);
    if (seen === null) return planned.reach.type === "path" ? [] : [vanished(planned)];
    const { path, how, why } = planned;
    const facts = { path, how, why, size: Number(seen.stats.size), ...attributesOf(seen.stats), tailSha256: "", stored: null };
    if (how === "left-out") return [facts];
    if (how === "length" && seen.through === path) return [facts];
    if (facts.size > this.#limitBytes)
      return [{ ...facts, how: "left-out", why: `${why}; over the limit of ${this.#limitBytes} bytes` }];
    const moved = seen.through === path ? why : `${why}; its path leads to another file by now`;
    return [await this.#copy(seen, { ...facts, how: "copy", why: moved })];
  }

  async #copy(seen: Seen, facts: CapturedFile): Promise<CapturedFile> {
    const stored = `files/${this.#next++}`;
    const target = join(this.#folder, stored);
    try {
      mkdirSync(dirname(target), { recursive: true, mode: 0o700 });
      const early = this.#early(seen);
      if (early === null) await copySeen(seen, facts, target);
      else await finishEarly(early, seen, target);
      // A writer outside the frozen tree may have been at it: what is stored is what counts.
      return { ...facts, stored, size: statSync(target).size };
    } catch (error) {
      if (isFull(errnoOf(error)) || errnoOf(error) === "EROFS" || !existsSync(this.#folder)) throw vaultFault(error, this.#folder);
      rmSync(target, { force: true });
      return { ...facts, how: "left-out", why: `${facts.why}; it could not be read (${errnoOf(error) ?? String(error)})` };
    }
  }
}

type Early = (seen: Seen) => EarlyCopy | null;

/** A copy that was made before the freeze. */
async function finishEarly({ file, isUnchanged }: EarlyCopy, seen: Seen, target: string): Promise<void> {
  renameSync(file, target);
  if (!isUnchanged) await withSeen(seen, async (handle) => topUp(handle, target));
}

async function copySeen(seen: Seen, { size }: CapturedFile, target: string): Promise<void> {
  await withSeen(seen, async ({ fd }) => {
    const source = `/proc/self/fd/${fd}`;
    // A turn through the thread pool would cost more than such a copy.
    if (size <= smallBytes) copyFileSync(source, target, constants.COPYFILE_FICLONE);
    else await copyFile(source, target, constants.COPYFILE_FICLONE);
  });
}

function vanished({ path, why }: PlannedFile): CapturedFile {
  const nothing = { size: 0, mode: 0, uid: 0, gid: 0, mtimeNs: "0", tailSha256: "", stored: null };
  return { path, how: "left-out", why: `${why}; it was gone before it could be captured`, ...nothing };
}

/** The `link_remap.N` that CRIU has just made beside the lost name: the same inode, and gone again after the thaw. */
function otherNameOf(unlinked: ReachedFile): PlannedFile[] {
  const held = unlinked.reach.type === "descriptor" ? statOf(`/proc/${unlinked.reach.pid}/fd/${unlinked.reach.fd}`) : null;
  const folder = dirname(unlinked.path);
  if (held === null || !existsSync(folder)) return [];
  const names = readdirSync(folder).filter((name) => name.startsWith("link_remap."));
  const path = names
    .map((name) => join(folder, name))
    .find((name) => statOf(name)?.ino === held.ino && statOf(name)?.dev === held.dev);
  return path === undefined
    ? []
    : [{ path, reach: { type: "path" }, how: "copy", why: "CRIU's name for an open file that lost its own" }];
}

function statOf(path: string): { readonly dev: bigint; readonly ino: bigint } | null {
  return statSync(path, { bigint: true, throwIfNoEntry: false }) ?? null;
}

function folderAt(path: string): CapturedFolder[] {
  const stats = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  if (stats?.isDirectory() !== true && stats?.isFIFO() !== true) return [];
  const { mode, uid, gid } = attributesOf(stats);
  return [{ path, mode, uid, gid, ...(stats.isFIFO() ? { fifo: true as const } : {}) }];
}

function neededAt({ path, reach }: ReachedFile): NeededFile[] {
  // An overlay gives a mapping another inode than the path: for a file that is only compared, the path says enough.
  const seen = findReached({ path, reach: reach.type === "mapping" ? { type: "path" } : reach });
  if (seen === null) return [];
  const { size, dev, ino, mtimeNs, ctimeNs } = seen.stats;
  return [{ path, size: Number(size), mtimeNs: `${mtimeNs}`, inode: `${dev}:${ino}`, ctimeNs: `${ctimeNs}`, sha256: "" }];
}
