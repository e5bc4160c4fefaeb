import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as wait } from "node:timers/promises";
import { launcher } from "../setup.ts";
import type { World } from "../world.ts";

/** One line of the service's log; the names are a promise. */
export type Line = {
  readonly event?: string;
  readonly job?: string;
  readonly count?: number;
  readonly point?: number;
  readonly code?: string;
  readonly state?: string;
};

/** A `holdfast serve` of a test's own. */
export type Service = {
  readonly pid: number;
  lines(): readonly Line[];
  /** How many lines of that event there are, of one job or of all. */
  count(event: string, job?: string): number;
  /** Sends the signal and waits for the end; gives the exit status, or the signal's name. */
  end(signal: "SIGTERM" | "SIGKILL"): Promise<number | string>;
};

export async function startService(world: World): Promise<Service> {
  const started = spawn(launcher, ["serve"], { env: { ...process.env, ...world.env }, stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  for (const stream of [started.stdout, started.stderr]) stream.on("data", (part: Buffer) => (text += part.toString()));
  const ended = once(started, "exit") as Promise<[number | null, string | null]>;
  let over = false;
  void ended.then(() => (over = true));
  const lines = (): readonly Line[] => text.split("\n").flatMap(parsed);
  const count = (event: string, job?: string): number =>
    lines().filter((line) => line.event === event && (job === undefined || line.job === job)).length;
  await until(`a service that runs\n${text}`, () => over || count("service-started") > 0);
  if (over || started.pid === undefined) throw new Error(`the service did not start:\n${text}`);
  return {
    pid: started.pid,
    lines,
    count,
    async end(signal) {
      started.kill(signal);
      const [status, by] = await ended;
      return status ?? by ?? "";
    },
  };
}

/** Waits until it holds; after a minute this is an error. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 1200; tries++) {
    if (await holds()) return;
    await wait(50);
  }
  throw new Error(`after a minute there is still not ${what}`);
}

function parsed(line: string): readonly Line[] {
  try {
    return [JSON.parse(line) as Line];
  } catch {
    return [];
  }
}
