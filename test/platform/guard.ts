import { mkdir, rm } from "node:fs/promises";
import { setTimeout as wait } from "node:timers/promises";
import type { Proof } from "./proof-programs.ts";
import type { PointsDocument, StartDocument, TakeDocument, World } from "./world.ts";

/** A proof program under guard in a world of its own. */
export type Guarded = {
  readonly started: StartDocument;
  readonly takes: readonly TakeDocument[];
};

/** Starts the program with `holdfast run` and takes `count` generations, one after the other, while it computes. */
export async function guard(world: World, proof: Proof, programs: string, unique: string, count: number): Promise<Guarded> {
  const include = (proof.include ?? []).flatMap((pattern) => ["--include", pattern]);
  const env = Object.entries(proof.env?.(unique) ?? {}).flatMap(([name, value]) => ["--env", `${name}=${value}`]);
  await boot(proof, unique);
  const started = await world.json<StartDocument>([
    ...["run", "--name", proof.name, "--cwd", world.cwd, "--every", "never", "--keep", "all", ...include, ...env, "--"],
    ...proof.command(programs, unique),
  ]);
  const takes: TakeDocument[] = [];
  for (let taken = 0; taken < count; taken++) {
    await wait(proof.every);
    takes.push(await world.json<TakeDocument>(["take", proof.name]));
  }
  return { started, takes };
}

export async function pointsOf(world: World, name: string): Promise<PointsDocument["points"]> {
  return (await world.json<PointsDocument>(["points", name])).points;
}

/** Makes the folders that the program's environment names. */
export async function boot(proof: Proof, unique: string): Promise<void> {
  if (proof.env) for (const folder of proof.runtime?.(unique) ?? []) await mkdir(folder, { recursive: true });
}

/** Takes away what a reboot would: the program's runtime files in temporary places, with the folders they lie in. */
export async function reboot(proof: Proof, unique: string): Promise<void> {
  for (const file of proof.runtime?.(unique) ?? []) await rm(file, { recursive: true, force: true });
}
