import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import path from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { child, type Ended } from "./child.ts";
import { launcher } from "./setup.ts";

/** A vault, a catalogue and a working folder of one test's own, and the real command line over them. */
export type World = {
  readonly root: string;
  readonly vault: string;
  /** The jobs' working directory; with `place: "temporary"` it lies in /tmp, which Holdfast captures whole. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** Runs `holdfast WORDS`; gives status and output. */
  run(words: readonly string[], env?: Readonly<Record<string, string>>): Promise<Ended>;
  /** Runs `holdfast WORDS --json`, which must end with 0; gives the document. */
  json<T>(words: readonly string[], env?: Readonly<Record<string, string>>): Promise<T>;
  /** Runs `holdfast WORDS --json`, which must be refused; gives exit status and fault. */
  fault(words: readonly string[], env?: Readonly<Record<string, string>>): Promise<Refusal>;
  /** Kills the jobs that still run, and removes everything. */
  close(): Promise<void>;
};

export type Refusal = { readonly status: number; readonly code: string; readonly message: string; readonly remedy: string };
export type Place = "disk" | "temporary";

export async function openWorld(place: Place = "disk"): Promise<World> {
  // /var/tmp survives a reboot, and is none of the temporary places.
  const root = await mkdtemp("/var/tmp/holdfast-test-");
  const cwd = place === "disk" ? path.join(root, "work") : await mkdtemp("/tmp/holdfast-test-");
  await mkdir(cwd, { recursive: true });
  const vault = path.join(root, "vault");
  const env = { HOLDFAST_VAULT: vault, HOLDFAST_CATALOGUE: path.join(root, "catalogue.sqlite") };

  const run: World["run"] = (words, more = {}) => child([launcher, ...words], { env: { ...env, ...more } });
  const json = async <T>(words: readonly string[], more: Readonly<Record<string, string>> = {}): Promise<T> => {
    const ended = await run(withJson(words), more);
    // `status` says by its exit status that a job is in danger (3) or has damage (13), and its document is whole all the same.
    const isTold = words[0] === "status" && (ended.status === 3 || ended.status === 13) && !ended.stdout.startsWith('{"fault"');
    if (ended.status !== 0 && !isTold)
      throw new Error(`holdfast ${words.join(" ")} ended with ${ended.status}\n${ended.stdout}${ended.stderr}`);
    return JSON.parse(ended.stdout) as T;
  };
  const fault: World["fault"] = async (words, more = {}) => {
    const ended = await run(withJson(words), more);
    let said: { fault?: { code: string; message: string; remedy: string } } = {};
    try {
      said = JSON.parse(ended.stdout) as typeof said;
    } catch {
      // Told below, with what was printed instead.
    }
    if (!said.fault)
      throw new Error(
        `holdfast ${words.join(" ")} printed no fault but ended with ${ended.status}\n${ended.stdout}${ended.stderr}`,
      );
    return { status: ended.status, ...said.fault };
  };
  const close = async (): Promise<void> => {
    const { jobs } = await json<StatusDocument>(["status", "--all"]).catch(() => ({ jobs: [] }));
    for (const job of jobs) if (job.state === "running" && job.run) await kill(job.run.initPid ?? job.run.pid);
    await rm(root, { recursive: true, force: true });
    if (place === "temporary") await rm(cwd, { recursive: true, force: true });
  };
  return { root, vault, cwd, env, run, json, fault, close };
}

/** `--json` before a `--`, so that it is Holdfast's. */
function withJson(words: readonly string[]): readonly string[] {
  const at = words.indexOf("--");
  return at < 0 ? [...words, "--json"] : [...words.slice(0, at), "--json", ...words.slice(at)];
}

export type Ending = { readonly type: "exited"; readonly status: number } | { readonly type: "signaled"; readonly signal: number };

export type StatusDocument = {
  readonly jobs: readonly {
    readonly name: string;
    readonly state: string;
    readonly exposureSeconds: number | null;
    readonly newestPoint: number | null;
    readonly run: { readonly pid: number; readonly initPid: number | null; readonly ending: Ending | null } | null;
  }[];
};

export type Point = {
  readonly number: number;
  readonly timeline: number;
  readonly kind: "base" | "increment";
  readonly parent: number | null;
  readonly time: string;
  readonly state: string;
  readonly bytes: number;
  readonly freezeMicros: number;
  readonly reason: string;
};
export type PointsDocument = { readonly points: readonly Point[] };
export type StartDocument = { readonly job: string; readonly pid: number; readonly initPid: number; readonly output: string };
export type TakeDocument = Point & {
  readonly job: string;
  readonly point: number;
  readonly run: number;
  readonly milliseconds: number;
};
export type RestoreDocument = {
  readonly job: string;
  readonly point: number;
  readonly timeline: number;
  readonly run: number;
  readonly pid: number;
  readonly milliseconds: number;
};

/** SIGKILL, and the wait until the process is gone: as a crash or the kernel's OOM killer ends it. */
export async function kill(pid: number): Promise<void> {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    return;
  }
  await gone(pid);
}

/** Waits until there is no such process, or only its zombie. */
export async function gone(pid: number, seconds = 120): Promise<void> {
  for (let tries = 0; tries < seconds * 20; tries++) {
    if (!(await lives(pid))) return;
    await wait(50);
  }
  throw new Error(`process ${pid} still runs after ${seconds} s`);
}

export async function lives(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  return stat !== "" && !/\) [ZX] /.test(stat);
}
