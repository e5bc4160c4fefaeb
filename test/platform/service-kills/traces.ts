import { open, readdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import Database from "better-sqlite3";
import type { World } from "../world.ts";
import type { Moment } from "./moments.ts";

/** What a service is at, or was when it was killed, by the leases it holds: `take`, `expire`, `tend`; `idle` without any. */
export function underway(world: World, service: number): readonly string[] {
  const database = new Database(world.env["HOLDFAST_CATALOGUE"], { readonly: true });
  try {
    const rows = database.prepare("select name, verb from leases where owner_pid = ?").all(service) as readonly {
      name: string;
      verb: string;
    }[];
    const verbs = rows.filter(({ name }) => name.startsWith("job:")).map(({ verb }) => verb);
    return verbs.length === 0 ? ["idle"] : verbs;
  } finally {
    database.close();
  }
}

/** Is the service at it right now? */
export async function isAt(world: World, jobs: readonly string[], service: number, during: Moment["during"]): Promise<boolean> {
  if (during === "anything") return true;
  const verbs = underway(world, service);
  if (during === "take" || during === "expire") return verbs.includes(during);
  // What an earlier one left looks the same.
  if (!verbs.includes(during === "fold" ? "expire" : "take")) return false;
  for (const job of jobs) {
    if (
      during === "fold"
        ? (await leftovers(world, job)).some((name) => /^\.(folding|gone)-/.test(name))
        : (await phaseOf(world, job)) === during
    )
      return true;
  }
  return false;
}

/** Half-made things of a job in staging, beside its generations and in its folder. */
export async function leftovers(world: World, job: string): Promise<readonly string[]> {
  const staging = await readdir(path.join(world.vault, ".staging")).catch(() => []);
  const folder = path.join(world.vault, "jobs", job);
  const [making, files] = [await readdir(path.join(folder, "generations")).catch(() => []), await readdir(folder)];
  return [...staging.filter((name) => name.includes(`${job}-`)), ...[...making, ...files].filter((name) => name.startsWith("."))];
}

/** How far a take had come: its dump, its thinning, or the seal. */
export async function phaseOf(world: World, job: string): Promise<string> {
  const folder = path.join(world.vault, "jobs", job, "generations");
  const making = (await readdir(folder).catch((): string[] => [])).find((name) => name.startsWith(".making-"));
  if (making === undefined) return "plan";
  const names: readonly string[] = await readdir(path.join(folder, making)).catch(() => []);
  if (names.includes("holdfast.json")) return "seal";
  return names.some((name) => name.endsWith(".img")) ? "thin" : "dump";
}

/** Every process whose command line has this text, with its words. */
export async function processesWith(text: string): Promise<readonly { readonly pid: number; readonly words: readonly string[] }[]> {
  const found: { pid: number; words: readonly string[] }[] = [];
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const line = await readFile(`/proc/${name}/cmdline`, "utf8").catch(() => "");
    if (line.includes(text)) found.push({ pid: Number(name), words: line.split("\0") });
  }
  return found;
}

/** Processes in the pid namespace of an init that stand still, stopped by a signal or held by a tracer. */
export async function standing(init: number): Promise<readonly string[]> {
  const found: string[] = [];
  const inside = await namespaceOf(init);
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name) || (await namespaceOf(Number(name))) !== inside) continue;
    const state = /\) (\w) /.exec(await readFile(`/proc/${name}/stat`, "utf8").catch(() => ""))?.[1] ?? "";
    if (state === "T" || state === "t") found.push(`${name} ${state}`);
  }
  return found;
}

async function namespaceOf(pid: number): Promise<number | null> {
  return stat(`/proc/${pid}/ns/pid`).then(
    ({ ino }) => ino,
    () => null,
  );
}

/** Reads a file of lines `step N ...` from where it stopped before; a gap, a double line or anything else is an error. */
export function stepReader(file: string): () => Promise<number> {
  let [at, next, rest] = [0, 0, ""];
  return async () => {
    const handle = await open(file);
    try {
      const { size } = await handle.stat();
      const bytes = Buffer.alloc(Math.max(0, size - at));
      await handle.read(bytes, 0, bytes.length, at);
      at = size;
      const lines = (rest + bytes.toString("latin1")).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        if (!line.startsWith(`step ${String(next).padStart(6, "0")} `))
          throw new Error(`${file}: step ${next} was due, not ${JSON.stringify(line)}`);
        next += 1;
      }
      return next;
    } finally {
      await handle.close();
    }
  };
}
