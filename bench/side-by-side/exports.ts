import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import type { Lab } from "../../test/lab/lab.ts";
import { all } from "./guarded.ts";
import { bringBack, bytesOf, notBack, upTo } from "./program.ts";
import type { Manner } from "./table.ts";

const execute = promisify(execFile);
const launcher = path.join(import.meta.dirname, "../../bin/holdfast");

type Exported = { readonly restoreOptions: readonly string[] };

/**
 * Standalone exports of the points of the job of which everything was kept: `FOLDER/exports/1`, `2`, ... The vault is fetched out of the machine
 * for it, because `holdfast export` takes a second here and ten there. They are then put into the machine, in place of the vault, and brought back by
 * CRIU alone. The machine must run, and runs afterwards.
 */
export async function exportAll(lab: Lab, count: number, folder: string): Promise<Manner> {
  await lab.must("sync; umount /vault");
  await lab.powerCut();
  await fetch(lab.vaultDisk, "/holdfast", folder);
  const exports = path.join(folder, "exports");
  await mkdir(exports);
  const env = {
    ...{ PATH: process.env["PATH"], HOLDFAST_CONFIG: "/dev/null" },
    // A catalogue of its own: the sources here may have gone on since the machine's were packed.
    ...{ HOLDFAST_VAULT: path.join(folder, "holdfast"), HOLDFAST_CATALOGUE: path.join(folder, "catalogue.sqlite") },
  };
  await execute(launcher, ["catalogue", "rebuild"], { env });
  const options = new Map<number, string>();
  for (const n of upTo(count)) {
    const words = ["export", all, "--point", String(n), path.join(exports, String(n)), "--json"];
    const { stdout } = await execute(launcher, words, { env });
    options.set(n, (JSON.parse(stdout) as Exported).restoreOptions.join(" "));
  }
  await execute("mke2fs", ["-q", "-F", "-t", "ext4", "-m", "0", "-d", exports, lab.vaultDisk]);
  await lab.boot();
  await lab.must("rmdir /vault/lost+found");
  const bytes = await bytesOf(lab, "/vault");
  const name = "standalone exports of the same points";
  const back = await notBack(name, upTo(count), (n) => bringBack(lab, all, `/vault/${n}`, n, options.get(n)));
  return { name, bytes, points: count, back };
}

/** Copies a folder out of an image of ext4 that is mounted nowhere. debugfs ends with 0 whatever comes of it, so all it says is an error. */
async function fetch(image: string, what: string, into: string): Promise<void> {
  const { stderr } = await execute("debugfs", ["-R", `rdump ${what} ${into}`, image]);
  const said = stderr.split("\n").filter((line) => line !== "" && !line.startsWith("debugfs "));
  if (said.length > 0) throw new Error(`debugfs: ${said.slice(0, 5).join("; ")}`);
}
