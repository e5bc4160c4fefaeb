import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { lstat, mkdtemp, readdir, readFile, readlink, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { vi } from "vitest";
import { runCommandLine } from "../../../src/cli/command-line.ts";
import type { JobName } from "../../../src/domain/job.ts";
import { PAGE, PRESENT } from "../../../src/images/pagemap.ts";
import { openVault } from "../../../src/vault/vault.ts";
import { aJob, aManifest, aRun } from "../../unit/vault/specimens.ts";
import { writeDump } from "../vault-pages/image-folders.ts";

export const [made, other] = ["made" as JobName, "other" as JobName];
export const ROOT = { pid: 999_999, startTicks: 7, bootId: "boot" };

/** Chains of the job `made`; `other` has B1 i2. */
const chains: Readonly<Record<string, readonly (readonly [number, number | null])[]>> = {
  made: [
    [1, null],
    [2, 1],
    [3, 2],
    [4, null],
    [5, 4],
  ],
  other: [
    [1, null],
    [2, 1],
  ],
};

/** A vault as a person finds it: two jobs, both stopped, three memories each, a catalogue beside. */
export class Scene {
  readonly folder: string;
  constructor(folder: string) {
    this.folder = folder;
  }
  static async make(): Promise<Scene> {
    const scene = new Scene(await mkdtemp(path.join(os.tmpdir(), "holdfast-edited-")));
    await build(scene.vault);
    await scene.run("status");
    return scene;
  }
  /** The same once more, to be edited. */
  async copy(): Promise<Scene> {
    const scene = new Scene(await mkdtemp(path.join(os.tmpdir(), "holdfast-edited-")));
    execFileSync("cp", ["-a", `${this.folder}/.`, scene.folder]);
    return scene;
  }
  remove(): Promise<void> {
    return rm(this.folder, { recursive: true, force: true });
  }
  get vault(): string {
    return path.join(this.folder, "vault");
  }
  get catalogue(): string {
    return path.join(this.folder, "catalogue.sqlite");
  }
  at(...parts: readonly (string | number)[]): string {
    return path.join(this.vault, "jobs", ...parts.map(String));
  }
  /** A generation's directory, or a file in it. */
  of(number: number | string, ...parts: readonly string[]): string {
    return this.at(made, "generations", number, ...parts);
  }

  /** Runs `holdfast WORDS` in this process. */
  async run(...words: readonly string[]): Promise<{ readonly status: number; readonly said: string }> {
    const said: string[] = [];
    const keep = (text: unknown): boolean => String(text).startsWith("(node:") || said.push(String(text)) > 0;
    const spies = [
      vi.spyOn(process.stdout, "write").mockImplementation(keep),
      vi.spyOn(process.stderr, "write").mockImplementation(keep),
    ];
    try {
      const status = await runCommandLine([...words, "--vault", this.vault, "--catalogue", this.catalogue]);
      return { status, said: said.join("") };
    } finally {
      for (const spy of spies) spy.mockRestore();
      process.removeAllListeners("SIGINT");
    }
  }
  async offered(job: JobName): Promise<readonly number[]> {
    const { said } = await this.run("points", job, "--json", "--quiet");
    return ((JSON.parse(said) as { points?: readonly { number: number }[] }).points ?? []).map((one) => one.number);
  }

  /** Every path in the vault with what it is; what a look may write is left out: marks, logs, locks. */
  async listing(): Promise<Readonly<Record<string, string>>> {
    const found: Record<string, string> = {};
    const visit = async (folder: string, at: string): Promise<void> => {
      for (const entry of await readdir(folder, { withFileTypes: true })) {
        const [below, name] = [path.join(folder, entry.name), `${at}${entry.name}`];
        if (/^locks$|^jobs\/[^/]+\/(marks\.json|logs)$/.test(name)) continue;
        const mode = ((await lstat(below)).mode & 0o777).toString(8);
        if (entry.isSymbolicLink()) found[name] = await readlink(below);
        else if (entry.isDirectory()) found[`${name}/`] = mode;
        else
          found[name] = `${mode} ${createHash("sha256")
            .update(await readFile(below))
            .digest("hex")}`;
        if (entry.isDirectory()) await visit(below, `${name}/`);
      }
    };
    await visit(this.vault, "");
    return found;
  }
}

async function build(folder: string): Promise<void> {
  const random = (): string => randomBytes(16).toString("hex");
  const vault = await openVault({ path: folder, stagingPath: null, keyPath: null, random, now: () => 77 });
  for (const [name, chain] of Object.entries(chains)) {
    const job = name as JobName;
    await vault.writeJob(aJob(job, { keep: "last=1", schedule: null, intent: "stopped" }));
    await vault.writeRun(job, aRun(1, { root: ROOT, init: null, endedAt: 9, ending: { type: "exited", status: 0 } }));
    for (const [number, on] of chain) {
      const making = await vault.prepare(job, number);
      await writeDump(making.staging, [
        memory("pagemap-300.img", 1, name, number),
        memory("pagemap-301.img", 2, name, number),
        memory("pagemap-shmem-65539.img", 3, name, number),
      ]);
      const { digests, pagesKept } = await vault.thin(making, on, () => undefined);
      const [parent, kind] = [
        on === null ? null : { number: on, id: `${name}-${on}` },
        on === null ? "base" : "increment",
      ] as const;
      const pages = { scanned: 36, written: 36, skipped: 0, kept: pagesKept };
      await vault.seal(making, aManifest(number, { job, id: `${name}-${number}`, kind, parent, pages }), digests);
      const bits = {
        type: "known",
        generation: number,
        id: `${name}-${number}`,
        root: ROOT,
        run: 1,
        criu: "4.2.1",
        tracking: "compare",
      } as const;
      await vault.writeHead(job, { lastNumber: number, bits });
    }
  }
}

/** Twelve pages, of which each generation changes every third. */
function memory(name: string, pagesId: number, job: string, number: number) {
  const bytes = Buffer.alloc(12 * PAGE);
  for (let page = 0; page < 12; page++) {
    const changedIn = Math.max(1, number - ((number + 3 - (page % 3)) % 3));
    bytes.fill(`${job} ${name} page ${page} of ${changedIn};`, page * PAGE, (page + 1) * PAGE);
  }
  return { name, pagesId, entries: [{ page: 16, pages: 12, flags: PRESENT }], bytes };
}
