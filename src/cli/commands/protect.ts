import { readFileSync, readlinkSync } from "node:fs";
import type { Command } from "commander";
import { findings } from "../../domain/findings.ts";
import { parseJobName } from "../../domain/name.ts";
import { refuseUnprotectable } from "../../engine/protectable.ts";
import { adopt } from "../../engine/start.ts";
import { Fault } from "../../faults/fault.ts";
import { print } from "../print.ts";
import { type Session, subcommand } from "../session.ts";
import { guarded, guardOptions, type GuardOptions, scheduleText } from "./run.ts";

const cannotPromise = [
  "its exit status cannot be known while it runs outside Holdfast's init",
  "its pids are the host's: a restore puts it into a pid namespace of its own",
];

export function addProtect(root: Command, session: Session): void {
  const command = subcommand(
    root,
    "protect <pid>",
    "take on a process tree that already runs",
    "holdfast protect 4711 --name y --every 5m",
  );
  guardOptions(command).action(async (word: string, options: GuardOptions) => {
    const name = parseJobName(options.name);
    const pid = processNumber(word);
    const engine = await session.engine(options, "protect");
    const identity = await engine.ports.processes.identify(pid);
    if (!identity) throw Fault.of("pid-unknown", { pid });
    const found = findings(await engine.ports.processes.inspect(identity, null));
    refuseUnprotectable(name, found);
    const job = {
      ...guarded(options, engine.settings, engine.ports.clock.now()),
      name,
      origin: "adopted" as const,
      command: readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").filter(Boolean),
      cwd: readlinkSync(`/proc/${pid}/cwd`),
      env: {},
      user: null,
      limits: {},
      output: null,
      error: null,
    };
    const run = await adopt(engine.ports, job, identity);
    const cautions = [
      ...cannotPromise,
      ...found.filter((one) => one.level === "caution").map((one) => `${one.what}; ${one.remedy}`),
    ];
    print(
      options.json === true,
      { job: name, run: run.number, timeline: run.timeline, pid, cautions },
      [`${name}: guarded, pid ${pid}, ${scheduleText(job.schedule)}`, ...cautions.map((one) => `  note: ${one}`)].join("\n"),
    );
  });
}

export function processNumber(word: string): number {
  if (!/^\d{1,8}$/.test(word) || Number(word) === 0)
    throw Fault.of("usage", { what: `${word} is not a process number`, command: "protect" });
  return Number(word);
}
