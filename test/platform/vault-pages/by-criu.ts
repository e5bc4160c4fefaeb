import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readFile, readlink } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

const run = promisify(execFile);
const LONG = 60_000;

/** Programs under our init, dumped and restored by CRIU alone, in a folder of its own. */
export class ByCriu {
  readonly #root: string;
  readonly #criu: readonly string[];
  readonly #inits: number[] = [];

  constructor(root: string, criu: readonly string[]) {
    this.#root = root;
    this.#criu = criu;
  }

  get init(): string {
    return path.join(this.#root, "holdfast-init");
  }

  async build(source: string, program: string): Promise<void> {
    const init = path.join(import.meta.dirname, "../../../src/host/init.c");
    if (!existsSync(this.init)) await run("cc", ["-static", "-O2", "-o", this.init, init], { timeout: LONG });
    await run("cc", ["-O2", "-o", program, source], { timeout: LONG });
  }

  /** Its output goes to `out`. */
  async start(words: readonly string[], out: string): Promise<{ readonly init: number; readonly vpid: string }> {
    const folder = path.join(this.#root, "run");
    await mkdir(folder);
    await run(this.init, ["-r", folder, "-i", "-o", out, "-e", `${out}.err`, "--", ...words], { timeout: LONG });
    const init = await this.#initIn(folder);
    return { init, vpid: (await readFile(path.join(folder, "root"), "utf8")).trim() };
  }

  async dump(job: { readonly init: number; readonly vpid: string }, images: string): Promise<void> {
    await mkdir(images);
    const options = ["--no-default-config", "-t", job.vpid, "-D", images, "-R", "-v4", "-o", "dump.log", "--manage-cgroups=ignore"];
    await run("nsenter", ["-t", String(job.init), "-p", "-m", ...this.#criu, "dump", ...options], { timeout: LONG });
  }

  /** Brings the images back and waits for the end: what the init wrote of it. */
  async restore(images: string): Promise<string> {
    const folder = path.join(this.#root, `run-${path.basename(images)}`);
    await mkdir(folder);
    const pidfile = path.join(folder, "pidfile");
    const options = ["-D", images, "-W", folder, "-v4", "-o", "restore.log", "--pidfile", pidfile, "--manage-cgroups=ignore"];
    const words = [...this.#criu, "restore", "--no-default-config", "-d", "-S", ...options];
    await run(this.init, ["-r", folder, "-n", "5000", "-p", pidfile, "--", ...words], { timeout: LONG });
    await this.#initIn(folder);
    await until(async () => existsSync(path.join(folder, "exit")));
    return (await readFile(path.join(folder, "exit"), "utf8")).trim();
  }

  async end(job: { readonly init: number }): Promise<void> {
    process.kill(job.init, "SIGKILL");
    await until(async () => !existsSync(`/proc/${job.init}`));
  }

  async close(): Promise<void> {
    for (const pid of this.#inits) {
      // Most have ended by themselves, and their pids may be others' by now.
      if ((await readlink(`/proc/${pid}/exe`).catch(() => null)) === this.init) process.kill(pid, "SIGKILL");
    }
  }

  async #initIn(folder: string): Promise<number> {
    const init = Number(await readFile(path.join(folder, "init"), "utf8"));
    this.#inits.push(init);
    return init;
  }
}

export async function until(ask: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 1200; tries++) {
    if (await ask().catch(() => false)) return;
    await sleep(50);
  }
  throw new Error("it does not come true in a minute");
}
