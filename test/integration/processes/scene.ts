import { execFileSync, spawn } from "node:child_process";
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { findings } from "../../../src/domain/findings.ts";
import type { Finding } from "../../../src/domain/finding.ts";
import type { ProcessIdentity } from "../../../src/domain/run.ts";
import type { TreeFacts } from "../../../src/domain/tree.ts";
import { initProgram } from "../../../src/host/init-program.ts";
import { processesUnder } from "../../../src/host/proc/tree.ts";
import { openProcesses } from "../../../src/host/processes.ts";

export const processes = openProcesses();

export type Specimen = {
  readonly folder: string;
  readonly root: ProcessIdentity;
  readonly init: ProcessIdentity | null;
  readonly inspect: () => Promise<TreeFacts>;
  readonly findings: () => Promise<readonly Finding[]>;
  readonly end: () => void;
};

/** `null`: this kernel has no such thing. */
export type Start = (kind: string, argument?: string) => Promise<Specimen | null>;

export type Scene = {
  readonly folder: string;
  readonly init: string;
  /** In the host's namespaces, as `holdfast protect` meets it. */
  readonly adopted: Start;
  /** Under the init, as `holdfast run` starts it; in an IPC namespace of its own, unless `hostIpc`. */
  readonly launched: Start;
  readonly launchedInHostIpc: Start;
  readonly remove: () => void;
};

/** A folder with the specimen program (`specimen.c`) built in it. */
export async function openScene(): Promise<Scene> {
  const folder = mkdtempSync(path.join(os.tmpdir(), "holdfast-specimen-"));
  const program = path.join(folder, "specimen");
  execFileSync("cc", ["-O1", "-o", program, path.join(import.meta.dirname, "specimen.c")], { timeout: 60_000 });
  const { init } = await initProgram(path.join(os.tmpdir(), "holdfast-test-init"));
  const live: Specimen[] = [];
  let number = 0;
  const place = (kind: string): string => {
    number += 1;
    const made = path.join(folder, `${number}-${kind}`);
    mkdirSync(made);
    return made;
  };
  const kept = (specimen: Specimen | null): Specimen | null => {
    if (specimen !== null) live.push(specimen);
    return specimen;
  };
  const underInit =
    (flags: readonly string[]): Start =>
    async (kind, argument) =>
      kept(await launch(init, flags, [program, kind, ...(argument === undefined ? [] : [argument])], place(kind)));
  return {
    folder,
    init,
    adopted: async (kind, argument) =>
      kept(await adopt([program, kind, ...(argument === undefined ? [] : [argument])], place(kind))),
    launched: underInit(["-i"]),
    launchedInHostIpc: underInit([]),
    remove: () => {
      for (const specimen of live) specimen.end();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function adopt(words: readonly string[], folder: string): Promise<Specimen | null> {
  const out = openSync(path.join(folder, "out"), "a");
  const child = spawn(words[0] ?? "", words.slice(1), { cwd: folder, detached: true, stdio: ["ignore", out, out] });
  closeSync(out);
  const { pid } = child;
  if (pid === undefined) throw new Error(`${words.join(" ")} did not start`);
  const said = await ready(path.join(folder, "out"), () => child.exitCode !== null);
  if (said === null) return null;
  return specimen(folder, said === 0 ? pid : said, null, pid);
}

async function launch(init: string, flags: readonly string[], words: readonly string[], folder: string): Promise<Specimen | null> {
  const out = path.join(folder, "out");
  execFileSync(init, ["-r", folder, ...flags, "-c", folder, "-o", out, "-e", out, "--", ...words], {
    timeout: 20_000,
    stdio: "ignore",
  });
  const initPid = Number(readFileSync(path.join(folder, "init"), "utf8"));
  const [root] = childrenOf(initPid);
  const said = await ready(out, () => childrenOf(initPid).length === 0);
  return said === null || root === undefined ? null : specimen(folder, root, initPid, initPid);
}

function childrenOf(pid: number): readonly number[] {
  return processesUnder(pid)
    .filter(({ ppid }) => ppid === pid)
    .map((stat) => stat.pid);
}

/** Waits for "ready", with the pid it may name; `null` if the kernel lacks the thing. */
async function ready(out: string, isOver: () => boolean): Promise<number | null> {
  for (let round = 0; round < 500; round++) {
    const text = readFileSync(out, "utf8");
    const [, pid] = /^ready(?: (\d+))?\n/m.exec(text) ?? [];
    if (text.includes("ready")) return Number(pid ?? 0);
    if (isOver()) return null;
    await sleep(20);
  }
  throw new Error(`${out}: not ready`);
}

export async function specimen(folder: string, rootPid: number, initPid: number | null, top: number): Promise<Specimen> {
  const root = await processes.identify(rootPid);
  const init = initPid === null ? null : await processes.identify(initPid);
  if (root === null || (initPid !== null && init === null)) throw new Error(`process ${rootPid} is gone`);
  const inspect = async () => processes.inspect(root, init);
  return {
    ...{ folder, root, init, inspect },
    findings: async () => findings(await inspect()),
    end: () => {
      for (const { pid, startTicks } of processesUnder(top)) {
        processes.signal({ ...root, pid, startTicks }, "SIGKILL");
      }
    },
  };
}
