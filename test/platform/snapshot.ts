import { createHash } from "node:crypto";
import { lstat, readdir, readFile, readlink } from "node:fs/promises";
import path from "node:path";

/** Every file and folder below `root`, with what would show a change: kind, mode, length and content. */
export type Snapshot = Readonly<Record<string, string>>;

/** `apart`: paths below `root` that may change (locks, logs). A root that is not there gives an empty snapshot. */
export async function snapshot(root: string, apart: RegExp = /^$/): Promise<Snapshot> {
  const found: Record<string, string> = {};
  for (const name of await readdir(root, { recursive: true }).catch(() => [])) {
    if (apart.test(name)) continue;
    const file = path.join(root, name);
    const at = await lstat(file);
    const mode = at.mode.toString(8);
    if (at.isSymbolicLink()) found[name] = `link to ${await readlink(file)}`;
    else if (at.isFile())
      found[name] = `${mode} ${at.size} ${createHash("sha256")
        .update(await readFile(file))
        .digest("hex")}`;
    else found[name] = mode;
  }
  return found;
}
