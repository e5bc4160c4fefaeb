import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { compose, type Engine } from "../compose.ts";
import { withLease } from "../engine/lease.ts";
import { Fault } from "../faults/fault.ts";
import { readSettings, type Settings } from "../settings/read.ts";
import { lastTakes } from "./last-takes.ts";
import { Scheduler } from "./scheduler.ts";

const usage = `Usage: holdfast serve [--config FILE] [--vault DIR] [--catalogue FILE]

The service: takes generations when they fall due, writes down how runs end, until SIGTERM.
On SIGTERM a dump that runs is finished (or undone after the time limit), and where service.last-takes
says so a last generation is taken of each job; the jobs live on.

Example:
  holdfast serve --config /etc/holdfast/holdfast.toml
`;

/** Runs the service until a signal; gives the exit status. A second service on the same vault is refused (`service-running`). */
export async function serve(words: readonly string[]): Promise<number> {
  try {
    const { values } = parseArgs({
      args: [...words],
      options: {
        config: { type: "string" },
        vault: { type: "string" },
        catalogue: { type: "string" },
        help: { type: "boolean", short: "h" },
        json: { type: "boolean" },
      },
    });
    if (values.help) {
      process.stdout.write(usage);
      return 0;
    }
    const settings = settingsOf(values);
    if (process.geteuid?.() !== 0) throw Fault.of("not-root", { verb: "serve" });
    const engine = await compose(settings, { log: { part: "service" } });
    try {
      return await lockedIn(engine, () => guard(engine));
    } finally {
      await engine.close();
    }
  } catch (error) {
    return tell(error, words.includes("--json"));
  }
}

/** The lease is the catalogue's and the lock the vault's: a service with another catalogue is refused by the second. */
async function lockedIn(engine: Engine, act: () => Promise<number>): Promise<number> {
  const { log, settings } = engine;
  const lock = await engine.lockService();
  if (lock.held) {
    try {
      return await act();
    } finally {
      await lock.release();
    }
  }
  if ("pid" in lock) throw Fault.of("service-running", { vault: settings.vault.path, pid: lock.pid ?? "not known" });
  log.warn(
    { event: "lock-unavailable", why: lock.why },
    "the vault's file system knows no locks; the catalogue's lease alone holds",
  );
  return act();
}

async function guard(engine: Engine): Promise<number> {
  const { ports, settings, log } = engine;
  const refuse = (holder: { owner: { pid: number } }) =>
    Fault.of("service-running", { vault: settings.vault.path, pid: holder.owner.pid });
  return withLease(ports, "service", "serve", refuse, async () => {
    const scheduler = new Scheduler(engine);
    const signal = stopSignal();
    await scheduler.open();
    log.info({ event: "service-started", vault: settings.vault.path, pid: process.pid }, "the service runs");
    const name = await signal;
    const deadline = ports.clock.monotonic() + settings.service.lastTakesDeadline;
    log.info({ event: "service-stopping", signal: name }, "stopping: a dump that runs is finished first");
    await scheduler.close();
    await lastTakes(engine, deadline);
    log.info({ event: "service-stopped" }, "the service has stopped; the jobs live on");
    return 0;
  });
}

function stopSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const name of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(name, () => resolve(name));
  });
}

function settingsOf(values: { config?: string | undefined; vault?: string | undefined; catalogue?: string | undefined }): Settings {
  const named = values.config ?? process.env["HOLDFAST_CONFIG"];
  const system = "/etc/holdfast/holdfast.toml";
  const file = named ?? (existsSync(system) ? system : null);
  return readSettings({
    file: file === null ? null : { name: file, text: readText(file) },
    env: process.env,
    flags: {
      ...(values.vault === undefined ? {} : { "vault.path": path.resolve(values.vault) }),
      ...(values.catalogue === undefined ? {} : { catalogue: path.resolve(values.catalogue) }),
    },
  });
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw Fault.of("settings-missing", { file, why: error instanceof Error ? error.message : String(error) }, { cause: error });
  }
}

function tell(error: unknown, json: boolean): number {
  const isUsage = error instanceof TypeError && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS");
  const fault = isUsage ? Fault.of("usage", { what: error.message, command: "serve" }) : error;
  if (!(fault instanceof Fault)) {
    process.stderr.write(`holdfast serve: this is a bug in holdfast\n${error instanceof Error ? error.stack : String(error)}\n`);
    return 1;
  }
  const { code, message, remedy } = fault;
  if (json) process.stdout.write(`${JSON.stringify({ fault: { code, message, remedy } })}\n`);
  else process.stderr.write(`holdfast: ${message} [${code}]\n  next: ${remedy}\n`);
  return fault.exitStatus;
}
