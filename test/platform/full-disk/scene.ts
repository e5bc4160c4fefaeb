import { readdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { expect } from "vitest";
import { type LoopDisk, loopDisk } from "../retention/loop-disk.ts";
import { kill, lives, openWorld, type StartDocument, type StatusDocument, type TakeDocument, type World } from "../world.ts";
import { makeRoom } from "./ballast.ts";

/** A vault with its catalogue, a staging place and a working folder on a small disk each, and a job named `full` with two points. */
export type Scene = {
  readonly world: World;
  readonly vaultDisk: LoopDisk;
  readonly stagingDisk: LoopDisk;
  readonly workDisk: LoopDisk;
  /** The init of the job's run. */
  init: number;
  /** Ends every job of the vault, and takes the disks away. */
  close(): Promise<void>;
};

export async function openScene(programs: string): Promise<Scene> {
  // Blocks as large disks have them.
  const [vaultDisk, stagingDisk, workDisk] = [await loopDisk(768, 4096), await loopDisk(32, 4096), await loopDisk(32, 4096)];
  const plain = await openWorld();
  const vault = path.join(vaultDisk.folder, "vault");
  const env = {
    HOLDFAST_VAULT: vault,
    HOLDFAST_CATALOGUE: path.join(vault, "catalogue.sqlite"),
    HOLDFAST_STAGING: path.join(stagingDisk.folder, "staging"),
  };
  const world: World = {
    ...plain,
    vault,
    env,
    cwd: workDisk.folder,
    run: (words, more) => plain.run(words, { ...env, ...more }),
    json: (words, more) => plain.json(words, { ...env, ...more }),
    fault: (words, more) => plain.fault(words, { ...env, ...more }),
  };
  const started = await world.json<StartDocument>([
    ...["run", "--name", "full", "--cwd", world.cwd, "--every", "never", "--keep", "all", "--output", "out", "--"],
    ...[`${programs}/single`, "999999", "5000", "1"],
  ]);
  for (let taken = 0; taken < 2; taken++) await world.json<TakeDocument>(["take", "full"]);
  const disks = [vaultDisk, stagingDisk, workDisk];
  const scene: Scene = {
    ...{ world, vaultDisk, stagingDisk, workDisk, init: started.initPid },
    async close() {
      for (const { folder } of disks) makeRoom(folder);
      // Also where no status can be had; its pid may be another's by now.
      const words = await readFile(`/proc/${scene.init}/cmdline`, "utf8").catch(() => "");
      if (words.includes(vault)) await kill(scene.init);
      const { jobs } = await world.json<StatusDocument>(["status", "--all"]).catch(() => ({ jobs: [] }));
      for (const { run, state } of jobs) if (run?.initPid && state === "running") await kill(run.initPid);
      await world.close();
      for (const disk of disks) await disk.remove();
    },
  };
  return scene;
}

/** The job lives, and nothing of it stands still. */
export async function runsOn(scene: Scene, told: string): Promise<void> {
  expect(await lives(scene.init), told).toBe(true);
  const before = await sizeOf(scene, "append.log");
  for (let tries = 0; tries < 100 && (await sizeOf(scene, "append.log")) === before; tries++) await wait(20);
  expect(await sizeOf(scene, "append.log"), told).toBeGreaterThan(before);
}

/** With room again: the next generation is a base if one before did not end well, and nothing of that is left. */
export async function nextIsSound(scene: Scene, told: string): Promise<void> {
  const { bits } = await headOf(scene);
  const next = await scene.world
    .json<TakeDocument>(["take", "full"])
    .catch((error: unknown) => expect.fail(`${told}\n${String(error)}`));
  if (bits.type === "unknown") expect(next, told).toMatchObject({ kind: "base", reason: expect.stringContaining(bits.why ?? "") });
  const lying = [
    ...(await readdir(path.join(scene.stagingDisk.folder, "staging")).catch(() => [])),
    ...(await readdir(path.join(scene.world.vault, "jobs/full/generations"))).filter((name) => name.startsWith(".")),
    ...(await readdir(path.join(scene.world.vault, "jobs/full"))).filter((name) => name.startsWith(".")),
  ];
  expect(lying, told).toEqual([]);
}

/** Everything that is listed reads back whole. Then all but three points go, so that what follows has little to look through. */
export async function allSound(scene: Scene): Promise<void> {
  const ended = await scene.world.run(["verify", "--json"]);
  expect(ended.status, `${ended.stdout}${ended.stderr}`).toBe(0);
  const { jobs } = JSON.parse(ended.stdout) as { jobs: readonly { job: string; checked: readonly number[]; damage: unknown }[] };
  const full = jobs.find(({ job }) => job === "full");
  expect(full).toMatchObject({ damage: [] });
  // Each generation that lies there is offered, and was read back.
  expect(full?.checked.toSorted((a, b) => a - b)).toEqual((await numbers(scene)).toSorted((a, b) => a - b));
  for (const words of [
    ["policy", "full", "--keep", "last=3"],
    ["expire", "full"],
    ["policy", "full", "--keep", "all"],
  ])
    await scene.world.json(words);
}

export async function headOf(scene: Scene): Promise<{ readonly bits: { readonly type: string; readonly why?: string } }> {
  const { head } = JSON.parse(await readFile(path.join(scene.world.vault, "jobs/full/head.json"), "utf8")) as {
    head: { bits: { type: string; why?: string } };
  };
  return head;
}

export async function status(scene: Scene): Promise<StatusDocument["jobs"][number]> {
  const [job] = (await scene.world.json<StatusDocument>(["status", "full"])).jobs;
  if (!job) throw new Error("there is no job");
  return job;
}

/** Of the generations that are sealed. */
export async function numbers(scene: Scene): Promise<readonly number[]> {
  const names = await readdir(path.join(scene.world.vault, "jobs/full/generations"));
  return names.filter((name) => /^\d+$/.test(name)).map(Number);
}

export async function sizeOf(scene: Scene, name: string): Promise<number> {
  return (await stat(path.join(scene.world.cwd, name))).size;
}
