import { randomBytes } from "node:crypto";
import { readdir } from "node:fs/promises";
import path from "node:path";
import type { JobName } from "../../../src/domain/job.ts";
import { isPagemapName } from "../../../src/images/image-names.ts";
import { PAGE, PRESENT } from "../../../src/images/pagemap.ts";
import { openVault } from "../../../src/vault/vault.ts";
import { contentOf, type Memory, writeDump } from "../../integration/vault-pages/image-folders.ts";
import { aJob, aManifest, aRun } from "../../unit/vault/specimens.ts";

const PAGES = 2048;
export const made = "made" as JobName;

/** A vault with one job of `count` generations in one chain, made up without CRIU: two memories, one of them shared, of 8 MiB each if not said. */
export async function makeChain(vaultFolder: string, count: number, pagesEach = PAGES): Promise<void> {
  const random = (): string => randomBytes(16).toString("hex");
  const vault = await openVault({ path: vaultFolder, stagingPath: null, keyPath: null, random, now: () => 77 });
  await vault.writeJob(aJob(made, { keep: "all", schedule: null, intent: "stopped" }));
  await vault.runFolder(made, 1);
  await vault.writeRun(made, aRun(1, { endedAt: 9, ending: { type: "exited", status: 0 } }));
  for (let number = 1; number <= count; number++) {
    const making = await vault.prepare(made, number);
    await writeDump(making.staging, [
      memory("pagemap-300.img", 1, number, pagesEach),
      memory("pagemap-shmem-65539.img", 2, number, pagesEach),
    ]);
    const parent = number === 1 ? null : { number: number - 1, id: `id-${number - 1}` };
    const { digests, pagesKept } = await vault.thin(making, parent?.number ?? null, () => undefined);
    const pages = { scanned: 2 * pagesEach, written: 2 * pagesEach, skipped: 0, kept: pagesKept };
    await vault.seal(making, aManifest(number, { job: made, kind: parent ? "increment" : "base", parent, pages }), digests);
    await vault.writeHead(made, { lastNumber: number, bits: { type: "unknown", why: "made up" } });
  }
}

/** Page p last changed in the newest generation that is p modulo 7: each generation holds pages that all later ones read from it. */
function memory(name: string, pagesId: number, number: number, pagesEach: number): Memory {
  const bytes = Buffer.alloc(pagesEach * PAGE);
  for (let page = 0; page < pagesEach; page++) {
    const changedIn = Math.max(1, number - ((number + 7 - (page % 7)) % 7));
    bytes.fill(`${name} page ${page} of ${changedIn};`, page * PAGE, (page + 1) * PAGE);
  }
  return { name, pagesId, entries: [{ page: 16, pages: pagesEach, flags: PRESENT }], bytes };
}

/** A word for every page of every memory of each generation that is there, by its number. */
export async function pagesIn(vaultFolder: string): Promise<Readonly<Record<string, unknown>>> {
  const generations = path.join(vaultFolder, "jobs", made, "generations");
  const found: Record<string, unknown> = {};
  for (const number of (await readdir(generations)).filter((name) => /^\d+$/.test(name))) {
    const folder = path.join(generations, number);
    const names = (await readdir(folder)).filter(isPagemapName).toSorted();
    found[number] = await Promise.all(names.map(async (name) => [name, await contentOf(folder, name)]));
  }
  return found;
}
