import { mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { execa } from "execa";
import { openCriu, type CriuOptions } from "../../../src/criu/criu.ts";
import { locateCriu, type Located } from "../../../src/criu/locate.ts";
import type { JobName } from "../../../src/domain/job.ts";
import type { ProcessIdentity } from "../../../src/domain/run.ts";
import type { DumpRequest } from "../../../src/engine/ports.ts";
import { initProgram } from "../../../src/host/init-program.ts";

/** CRIU for these tests: HOLDFAST_CRIU_PATH, or what the machine has. Without one they are skipped, or fail if it is required. */
export const setting = process.env["HOLDFAST_CRIU_PATH"] ?? "auto";
export const cacheRoot = process.env["HOLDFAST_CACHE"] ?? "/var/cache/holdfast";

export async function criuForTests(): Promise<{ readonly located: Located | null; readonly why: string }> {
  const why =
    process.geteuid?.() === 0
      ? await locateCriu({ setting, cacheRoot, searchPath: "" }).then(
          (located) => located,
          (error: Error) => error.message,
        )
      : "these tests need root";
  if (typeof why !== "string") return { located: why, why: "" };
  if (process.env["HOLDFAST_REQUIRE_CRIU"] === "1") throw new Error(`HOLDFAST_REQUIRE_CRIU=1, but: ${why}`);
  process.stderr.write(`skipped: ${why}\n`);
  return { located: null, why };
}

export type Scene = {
  readonly folder: string;
  readonly options: CriuOptions;
  readonly criu: ReturnType<typeof openCriu>;
  readonly remove: () => Promise<void>;
};

/** A folder with a hook built for it. `hook` may name another program to call inside the freeze. */
export async function openScene(hook?: string): Promise<Scene> {
  const folder = await mkdtemp(path.join(os.tmpdir(), "holdfast-criu-"));
  const program = await initProgram(path.join(os.tmpdir(), "holdfast-test-init"));
  const options: CriuOptions = {
    setting,
    cacheRoot,
    searchPath: "",
    hook: async () => hook ?? program.hook,
    lockFolder: path.join(folder, "locks"),
    socketFolders: [path.join(folder, "s")],
  };
  return { folder, options, criu: openCriu(options), remove: () => rm(folder, { recursive: true, force: true }) };
}

export type LiveJob = {
  readonly init: ProcessIdentity | null;
  readonly rootVpid: number;
  /** The root as the host numbers it. */
  readonly rootPid: number;
  /** How far it has counted. */
  readonly count: () => Promise<number>;
  readonly state: () => Promise<string>;
  readonly end: () => void;
};

// A counter in a file says that it lives; the memory is what a dump has to write.
const program = (megabytes: number) => `
import time, os, sys
plain = open(sys.argv[1], "w")
plain.write("plain\\n")
plain.flush()
memory = bytearray(os.urandom(${megabytes} << 20))
i = 0
while True:
    i += 1
    memory[(i * 4096) % len(memory)] = i & 255
    print(i, flush=True)
    time.sleep(0.01)
`;

/** A Python program under the real init, in namespaces of its own. */
export async function startJob(scene: Scene, name: string, megabytes = 4): Promise<LiveJob> {
  const { init } = await initProgram(path.join(os.tmpdir(), "holdfast-test-init"));
  const folder = path.join(scene.folder, name);
  await mkdir(folder, { recursive: true });
  const [out, err] = [path.join(folder, "out"), path.join(folder, "err")];
  await execa(
    init,
    [
      "-r",
      folder,
      "-i",
      "-o",
      out,
      "-e",
      err,
      "--",
      "/usr/bin/env",
      "python3",
      "-c",
      program(megabytes),
      path.join(folder, "plain"),
    ],
    {
      stdio: "ignore",
      detached: true,
      cleanup: false,
      timeout: 20_000,
    },
  );
  const number = async (file: string) => Number(await readFile(path.join(folder, file), "utf8"));
  const [initPid, rootVpid] = [await number("init"), await number("root")];
  const rootPid = Number((await readFile(`/proc/${initPid}/task/${initPid}/children`, "utf8")).trim().split(" ")[0]);
  return counting({ init: { pid: initPid, startTicks: 0, bootId: "" }, rootVpid, rootPid }, out, initPid);
}

/** The same program in the host's namespaces, as `holdfast protect` meets it: a session of its own, streams on files. */
export async function startAdopted(scene: Scene, name: string): Promise<LiveJob> {
  const out = path.join(scene.folder, `${name}.out`);
  const words = ["-c", 'exec python3 -c "$0" "$1.plain" <&- >"$1" 2>&1', program(4), out];
  const child = execa("sh", words, { stdio: "ignore", detached: true, cleanup: false, reject: false });
  if (child.pid === undefined) throw new Error("sh did not start");
  return counting({ init: null, rootVpid: child.pid, rootPid: child.pid }, out, child.pid);
}

async function counting(known: Pick<LiveJob, "init" | "rootVpid" | "rootPid">, out: string, top: number): Promise<LiveJob> {
  const count = async () => Number((await readFile(out, "utf8").catch(() => "")).trim().split("\n").at(-1) ?? 0);
  for (let i = 0; (await count()) < 1; i++) {
    if (i === 500) throw new Error(`the program under ${top} does not count`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return {
    ...known,
    count,
    state: () => stateOf(known.rootPid),
    end: () => {
      try {
        process.kill(top, "SIGKILL");
      } catch {
        // ended already
      }
    },
  };
}

/** Pids of the processes that have this word on their command line. */
export async function processesNamed(word: string): Promise<readonly number[]> {
  const found: number[] = [];
  for (const name of (await readdir("/proc")).filter((one) => /^\d+$/.test(one))) {
    const words = (await readFile(`/proc/${name}/cmdline`, "utf8").catch(() => "")).split("\0");
    if (words.includes(word) && !words.includes("dump")) found.push(Number(name));
  }
  return found;
}

/** `R`, `S`, `t` and so on, as the kernel has it; empty if the process is gone. */
export async function stateOf(pid: number): Promise<string> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  return text.slice(text.lastIndexOf(")") + 2, text.lastIndexOf(")") + 3);
}

/** True once the job has counted on from now: it is neither stopped nor dead. */
export async function goesOn(job: LiveJob): Promise<boolean> {
  const before = await job.count();
  for (let i = 0; i < 200; i++) {
    if ((await job.count()) > before + 2) return true;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return false;
}

/** A request with a fresh images folder. */
export async function requestFor(
  scene: Scene,
  job: LiveJob,
  name: string,
  changes: Partial<DumpRequest> = {},
): Promise<DumpRequest> {
  const images = path.join(scene.folder, `images-${name}`);
  await mkdir(images);
  return {
    job: "job" as JobName,
    images,
    log: path.join(scene.folder, `${name}.log`),
    init: job.init,
    rootVpid: job.rootVpid,
    options: [],
    track: null,
    timeoutSeconds: 60,
    ...changes,
  };
}
