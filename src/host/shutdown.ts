import { access, readFile } from "node:fs/promises";
import path from "node:path";
import { execa } from "execa";

const utmpRecord = 384;
const RUN_LVL = 1;

/**
 * Why this machine is taken to be going down, in words; `null`: it is not. `root`: the folder that stands for `/`.
 *
 * Where systemd runs its manager is asked: `stopping` from the moment shutdown.target is queued. That a shutdown is scheduled for
 * later (`/run/systemd/shutdown/scheduled`) says nothing, nor does /run/nologin, which is there from five minutes before; both count only if the manager
 * does not answer. Without systemd: the runlevel in utmp is 0 or 6 (sysvinit writes it first), or nobody may log in any more.
 */
export async function goingDown(root: string, now: number): Promise<string | null> {
  const run = path.join(root, "run");
  if (await isThere(path.join(run, "systemd/system"))) {
    const said = await managerState(root);
    if (said !== null) return said === "stopping" ? "systemd is stopping" : null;
    if (await scheduledBefore(path.join(run, "systemd/shutdown/scheduled"), now)) return "a shutdown is scheduled for now";
  } else if (await lastRunlevelEnds(path.join(run, "utmp"))) return "the runlevel is 0 or 6";
  return (await isThere(path.join(run, "nologin"))) ? "nobody may log in any more" : null;
}

/** `running`, `degraded`, `stopping` ...; `null` if there is no answer within three seconds. */
async function managerState(root: string): Promise<string | null> {
  const done = await execa(path.join(root, "usr/bin/systemctl"), ["is-system-running"], {
    reject: false,
    stdin: "ignore",
    timeout: 3_000,
  });
  const said = done.stdout.trim();
  return /^(initializing|starting|running|degraded|maintenance|stopping)$/.test(said) ? said : null;
}

/** `USEC=` is when, in microseconds; a minute's grace for a manager that is already at it. */
async function scheduledBefore(file: string, now: number): Promise<boolean> {
  const micros = /^USEC=(\d+)$/m.exec(await readFile(file, "utf8").catch(() => ""))?.[1];
  return micros !== undefined && Number(micros) / 1000 <= now + 60_000;
}

/** The last record of kind RUN_LVL: its pid field holds the level's letter. */
async function lastRunlevelEnds(file: string): Promise<boolean> {
  const bytes = await readFile(file).catch(() => Buffer.alloc(0));
  let level = "";
  for (let at = 0; at + utmpRecord <= bytes.length; at += utmpRecord) {
    if (bytes.readInt16LE(at) === RUN_LVL) level = String.fromCodePoint(bytes.readInt32LE(at + 4) & 0xff);
  }
  return level === "0" || level === "6";
}

async function isThere(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
