import { constants, existsSync } from "node:fs";
import { mkdir, open, readFile, rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";
import { Fault } from "../../faults/fault.ts";
import { vaultFault } from "./translate.ts";

const attributes = { mode: z.number(), uid: z.number(), gid: z.number(), mtimeNs: z.string().regex(/^-?\d+$/) };

const undoList = z.object({
  format: z.literal(1),
  files: z.array(
    z.object({
      path: z.string().startsWith("/"),
      /**
       * `create`: nothing was there. `replace`: another file takes its name. `in-place`: written over, for the sake of its other
       * hard links. `cut`: shortened. `attributes`: mode, owner or time alone.
       */
      change: z.enum(["create", "replace", "in-place", "cut", "attributes"]),
      /** The name, beside the file, under which a new content is written before it is renamed. */
      temporary: z.string().regex(/^[^/]+$/),
      before: z.object({ size: z.number(), ...attributes }).nullable(),
      /** What was there from byte `savedFrom` to the end: a file in the undo folder. */
      saved: z.string().regex(/^\d+$/).nullable(),
      savedFrom: z.number(),
    }),
  ),
  /** Folders that were not there, parents first. */
  made: z.array(z.string().startsWith("/")),
  /** Folders that were there and in which names come or go: their own time is set back too. */
  touched: z.array(z.object({ path: z.string().startsWith("/"), mtimeNs: attributes.mtimeNs })),
});

/** `undo.json`: what a put-back is about to change, and how it was before. Its presence says that changes may have begun. */
export type UndoList = z.infer<typeof undoList>;
export type UndoFile = UndoList["files"][number];

const listName = "undo.json";
const undoneName = "undone.json";

/** An empty folder of one's own. Faults: `directory-not-empty` if a put-back has already used it, `vault-unwritable`, `vault-full`. */
export async function openUndoFolder(folder: string): Promise<void> {
  if (existsSync(join(folder, listName)) || existsSync(join(folder, undoneName)))
    throw Fault.of("directory-not-empty", { dir: folder });
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw vaultFault(error, folder);
  }
}

/** The last thing before the first change; the saved contents are already synced. A crash in the middle leaves no list. */
export async function writeUndoList(folder: string, list: UndoList): Promise<void> {
  const file = join(folder, listName);
  const handle = await open(`${file}.new`, "w", 0o600);
  try {
    await handle.writeFile(`${JSON.stringify(list, null, 2)}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(`${file}.new`, file);
  await syncFolder(folder);
  await syncFolder(dirname(folder));
}

/** `null`: nothing was ever changed, or all is undone already. Faults: `vault-file-damaged`. */
export async function readUndoList(folder: string): Promise<UndoList | null> {
  const file = join(folder, listName);
  if (!existsSync(file)) return null;
  try {
    return undoList.parse(JSON.parse(await readFile(file, "utf8")));
  } catch (error) {
    throw Fault.of("vault-file-damaged", { file, why: "it is not a list this program wrote" }, { cause: error });
  }
}

/** From here on `undo` does nothing any more, so that work done after it is safe from a second call. */
export async function markUndone(folder: string): Promise<void> {
  await rename(join(folder, listName), join(folder, undoneName));
  await syncFolder(folder);
}

export async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
