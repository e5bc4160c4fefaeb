import { mkdir, mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { succeed } from "../child.ts";

/** An ext4 of its own, in a file, mounted by a loop device. */
export type LoopDisk = { readonly folder: string; readonly remove: () => Promise<void> };

/** `blockBytes`: small disks have blocks of 1 KiB if not said. */
export async function loopDisk(mebibytes: number, blockBytes = 0): Promise<LoopDisk> {
  const root = await mkdtemp("/var/tmp/holdfast-test-loop-");
  const [image, folder] = [path.join(root, "image"), path.join(root, "disk")];
  await mkdir(folder);
  await writeFile(image, "");
  await truncate(image, mebibytes * 2 ** 20);
  await succeed(["mkfs.ext4", "-q", "-F", ...(blockBytes > 0 ? ["-b", String(blockBytes)] : []), image]);
  await succeed(["mount", "-o", "loop", image, folder]);
  return {
    folder,
    async remove() {
      await succeed(["umount", folder]);
      await rm(root, { recursive: true, force: true });
    },
  };
}
