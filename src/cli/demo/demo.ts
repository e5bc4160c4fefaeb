import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { access, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { compose, makeReady } from "../../compose.ts";
import { formatSize } from "../../domain/size.ts";
import { parseJobName } from "../../domain/name.ts";
import type { Run } from "../../domain/run.ts";
import { observe } from "../../engine/observe.ts";
import type { Ports } from "../../engine/ports.ts";
import { points } from "../../engine/queries.ts";
import { reconcile } from "../../engine/reconcile.ts";
import { restore } from "../../engine/restore.ts";
import { start } from "../../engine/start.ts";
import { take } from "../../engine/take.ts";
import { Fault } from "../../faults/fault.ts";
import { formatMicros, generationHead, generationRow } from "../render/generation.ts";
import { table } from "../render/table.ts";
import type { Common, Session } from "../session.ts";

const outputs = ["trajectory.txt", "state.bin", "out"] as const;
const program = path.join(import.meta.dirname, "heat.pl");
const generations = 4;

export type DemoReport = {
  readonly identical: boolean;
  readonly restoredPoint: number;
  readonly endings: { readonly undisturbed: number; readonly restored: number | null };
  readonly points: readonly {
    readonly number: number;
    readonly kind: string;
    readonly bytes: number;
    readonly freezeMicros: number;
  }[];
};

/**
 * The whole promise on a real process: start, a base and increments, SIGKILL, an older point, on to the end, outputs compared bit by
 * bit with a run nobody disturbed. Everything happens in a folder of its own, which is swept at the end.
 */
export async function runDemo(session: Session, common: Common, say: (text: string) => void): Promise<DemoReport> {
  if (process.geteuid?.() !== 0) throw Fault.of("not-root", { verb: "demo" });
  const folder = await mkdtemp(path.join(await roomyFolder(), "holdfast-demo-"));
  const settings = { ...session.settings(common) };
  const own = {
    ...settings,
    vault: { ...settings.vault, path: path.join(folder, "vault") },
    catalogue: path.join(folder, "catalogue.sqlite"),
    staging: "",
  };
  try {
    await makeReady(own, say);
    const engine = await compose(own, { events: { emit: () => undefined } });
    try {
      return await play(engine.ports, folder, say, own.zone);
    } finally {
      await engine.close();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function play(ports: Ports, folder: string, say: (text: string) => void, zone: string): Promise<DemoReport> {
  const [plain, guarded] = [path.join(folder, "undisturbed"), path.join(folder, "guarded")];
  for (const dir of [plain, guarded]) await mkdir(dir);
  say("1  the same computation is started twice: once alone, once under guard");
  const undisturbed = runAlone(plain);
  const name = parseJobName("demo");
  await start(ports, demoJob(ports.clock.now(), name, guarded));
  for (let number = 1; number <= generations; number += 1) {
    await wait(2000);
    const { generation } = await take(ports, name);
    const { kind, bytes, freezeMicros } = generation;
    say(
      `2  point ${number}: ${kind}, ${formatSize(bytes)}; it stood still for ${formatMicros(freezeMicros)}, at: ${await lastLine(guarded)}`,
    );
  }
  const offered = await points(ports, name);
  say(
    `\n${table(
      generationHead,
      offered.map((one) => generationRow(one, zone)),
    )}\n`,
  );
  await wait(1500);
  const atKill = await lastLine(guarded);
  await killRun(ports, name);
  say(`3  SIGKILL, at: ${atKill}`);
  const wanted = offered[1]?.number ?? 1;
  const { run, milliseconds } = await restore(ports, name, {
    target: { type: "point", number: wanted },
    running: "refuse",
    onFailure: "stop",
  });
  say(
    `4  brought back to point ${wanted}, memory and files, in ${(milliseconds / 1000).toFixed(1)} s; its log now ends with: ${await lastLine(guarded)}`,
  );
  const status = await endOf(ports, name, run);
  const alone = await undisturbed;
  say(`5  it ran to its end: exit status ${status}, the undisturbed one's was ${alone}`);
  const differing = [];
  for (const file of outputs)
    if ((await digest(path.join(plain, file))) !== (await digest(path.join(guarded, file)))) differing.push(file);
  const identical = differing.length === 0 && status === alone;
  for (const file of outputs) say(`   ${file.padEnd(15)} ${differing.includes(file) ? "DIFFERS" : "identical, bit by bit"}`);
  if (identical)
    say(
      "\nA killed computation went on from an older point as if nothing had happened.\nNow yours: holdfast run --name NAME --every 10m -- COMMAND",
    );
  return {
    identical,
    restoredPoint: wanted,
    endings: { undisturbed: alone, restored: status },
    points: offered.map(({ number, kind, bytes, freezeMicros }) => ({ number, kind, bytes, freezeMicros })),
  };
}

function demoJob(createdAt: number, name: Parameters<typeof take>[1], cwd: string): Parameters<typeof start>[1] {
  const output = path.join(cwd, "out");
  return {
    name,
    createdAt,
    origin: "launched",
    command: ["/usr/bin/perl", program],
    cwd,
    env: { PATH: "/usr/bin:/bin", LC_ALL: "C" },
    user: null,
    limits: {},
    output,
    error: output,
    schedule: null,
    keep: "",
    maxChain: 24,
    dedup: "exact",
    preDump: "auto",
    onCrash: "ask",
    exposureLimit: null,
    files: { include: [], exclude: [], limitBytes: 2 ** 30 },
    intent: "run",
  };
}

function runAlone(cwd: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn("/bin/sh", ["-c", `exec /usr/bin/perl "$0" >> out 2>&1 < /dev/null`, program], {
      cwd,
      env: { PATH: "/usr/bin:/bin", LC_ALL: "C" },
      stdio: "ignore",
    });
    child.on("error", reject);
    child.on("exit", (status) => resolve(status ?? 1));
  });
}

async function killRun(ports: Ports, name: Parameters<typeof take>[1]): Promise<void> {
  const run = (await ports.catalogue.runs(name)).at(-1);
  if (!run) return;
  ports.processes.signal(run.root, "SIGKILL");
  while (ports.processes.isAlive(run.init ?? run.root)) await wait(20);
}

async function endOf(ports: Ports, name: Parameters<typeof take>[1], run: Run): Promise<number | null> {
  while (ports.processes.isAlive(run.init ?? run.root)) await wait(100);
  const job = await ports.catalogue.job(name);
  if (!job) return null;
  await reconcile(ports, job);
  const { ending } = (await observe(ports, job)).run ?? run;
  return ending?.type === "exited" ? ending.status : null;
}

async function lastLine(cwd: string): Promise<string> {
  const text = await readFile(path.join(cwd, "out"), "utf8").catch(() => "");
  return text.trimEnd().split("\n").at(-1) ?? "";
}

async function digest(file: string): Promise<string> {
  return createHash("sha256")
    .update(await readFile(file).catch(() => ""))
    .digest("hex");
}

/** Not /tmp: what lies there is captured whole, and a demo should show the ordinary case. */
async function roomyFolder(): Promise<string> {
  return access("/var/tmp").then(
    () => "/var/tmp",
    () => os.tmpdir(),
  );
}
