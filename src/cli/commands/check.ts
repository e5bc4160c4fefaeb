import { setTimeout as wait } from "node:timers/promises";
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import type { Command } from "commander";
import type { Finding } from "../../domain/finding.ts";
import { findings } from "../../domain/findings.ts";
import type { Job } from "../../domain/job.ts";
import { parseJobName } from "../../domain/name.ts";
import type { ProcessIdentity } from "../../domain/run.ts";
import { Fault } from "../../faults/fault.ts";
import { print } from "../print.ts";
import { type Common, type Session, subcommand } from "../session.ts";
import { processNumber } from "./protect.ts";

type Options = Common & { seconds?: string; cwd?: string };

export function addCheck(root: Command, session: Session): void {
  subcommand(
    root,
    "check [words...]",
    "can this be protected? Give a PID, or a command after `--`",
    "holdfast check -- ./sim --n 4",
  )
    .option("--seconds <n>", "how long a command is watched", "3")
    .option("--cwd <dir>", "the command's working directory")
    .action(async (words: string[], options: Options) => {
      const [first] = words;
      if (first === undefined) throw Fault.of("usage", { what: "check takes a PID, or a command after --", command: "check" });
      const engine = await session.engine(options, "check");
      const isCommand = process.argv.includes("--") || words.length > 1;
      const found = isCommand
        ? await watch(session, options, words)
        : await look(engine.ports.processes, processNumber(first), null);
      const refused = found.some((one) => one.level === "refused");
      print(options.json === true, { protectable: !refused, findings: found }, checkText(found, refused));
      if (refused) session.exitStatus = 12;
    });
}

type Looker = { identify(pid: number): Promise<ProcessIdentity | null>; inspect: Inspect };
type Inspect = (root: ProcessIdentity, init: ProcessIdentity | null) => Promise<Parameters<typeof findings>[0]>;

async function look(processes: Looker, pid: number, init: ProcessIdentity | null): Promise<readonly Finding[]> {
  const identity = await processes.identify(pid);
  if (!identity) throw Fault.of("pid-unknown", { pid });
  return findings(await processes.inspect(identity, init));
}

/** Starts the command as `run` would, looks at it, and ends it. */
async function watch(session: Session, options: Options, command: string[]): Promise<readonly Finding[]> {
  // The engine is the session's own: opened once, closed with it.
  const { ports, userEnvironment } = await session.engine(options, "check");
  const runFolder = await mkdtemp(path.join(os.tmpdir(), "holdfast-check-"));
  try {
    const cwd = path.resolve(options.cwd ?? process.cwd());
    const launched = await ports.launcher.launch({ job: sampleJob(command, cwd, await userEnvironment(null)), runFolder });
    try {
      await wait(Math.max(0.2, Number(options.seconds) || 3) * 1000);
      if (!ports.processes.isAlive(launched.root)) {
        throw Fault.of("launch-failed", {
          job: "the command",
          why: "it ended before it could be looked at",
          advice: "give it more to do, or fewer --seconds",
        });
      }
      return findings(await ports.processes.inspect(launched.root, launched.init));
    } finally {
      ports.processes.signal(launched.init, "SIGKILL");
    }
  } finally {
    await rm(runFolder, { recursive: true, force: true });
  }
}

/** Nothing of it is kept; only what the launcher reads matters. */
function sampleJob(command: readonly string[], cwd: string, env: Record<string, string>): Job {
  return {
    name: parseJobName("check"),
    createdAt: 0,
    origin: "launched",
    command,
    cwd,
    env,
    user: null,
    limits: {},
    output: null,
    error: null,
    schedule: null,
    keep: "",
    maxChain: 1,
    dedup: "exact",
    preDump: "auto",
    onCrash: "ask",
    exposureLimit: null,
    files: { include: [], exclude: [], limitBytes: 0 },
    intent: "run",
  };
}

function checkText(found: readonly Finding[], refused: boolean): string {
  const marks = { refused: "red   ", caution: "amber ", handled: "green " } as const;
  const verdict = refused
    ? "it cannot be protected as it is"
    : found.some((one) => one.level === "caution")
      ? "it can be protected, but: see amber"
      : "it can be protected";
  return [
    ...found.map(
      (one) => `${marks[one.level]} ${one.what} [${one.code}]${one.level === "handled" ? "" : `\n        ${one.remedy}`}`,
    ),
    verdict,
  ].join("\n");
}
