import { glob, rm } from "node:fs/promises";
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
  const started = await world.json<StartDocument>([
    ...["run", "--name", proof.name, "--cwd", world.cwd, "--every", "never", "--keep", "all", ...include, "--"],
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

/** Takes away what a reboot would: the runtime files of the program in temporary places. */
export async function reboot(proof: Proof, unique: string): Promise<void> {
  for (const pattern of proof.reboot?.(unique) ?? []) {
    for await (const file of glob(pattern)) await rm(file, { recursive: true, force: true });
  }
}
