import { randomInt } from "node:crypto";
import { readdir } from "node:fs/promises";
import path from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { expect } from "vitest";
import { compose, type Engine } from "../../../src/compose.ts";
import type { JobName } from "../../../src/domain/job.ts";
import { expire } from "../../../src/engine/expire.ts";
import { hold } from "../../../src/engine/hold.ts";
import { take } from "../../../src/engine/take.ts";
import { readSettings } from "../../../src/settings/read.ts";
import type { World } from "../world.ts";

/** Generations of each proof, and the rules that leave ten of them, in chains so short that there are several. */
export const COUNT = 40;
export const rules = ["--every", "never", "--keep", "last=4", "--max-chain", "8"] as const;
const LAST = 4;
const EXPIRE_AFTER = 5;

/** Which points are held, and how long the takes are apart: chance from a seed that is told, so that a failure can be had again. */
export type Chance = {
  readonly seed: number;
  /** What is left at the end: the points held for good, and the last four. */
  readonly kept: readonly number[];
  readonly expired: readonly number[];
  /** Points whose hold is taken off again, with the take after which that happens: they are folded onto, and then go. */
  readonly released: ReadonlyMap<number, number>;
  /** Milliseconds before take number `n`, by n - 1. */
  readonly pauses: readonly number[];
};

/** `FORTY_SEED=N` has it as it was told. */
export function throwDice(): Chance {
  const seed = Number(process.env["FORTY_SEED"] ?? randomInt(2 ** 31));
  let state = seed;
  /** mulberry32: 0 to `below` - 1. */
  const dice = (below: number): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
  const numbers = Array.from({ length: COUNT }, (_, index) => index + 1);
  const drawable = numbers.slice(5, COUNT - EXPIRE_AFTER);
  const draw = (): number => drawable.splice(dice(drawable.length), 1)[0] ?? 0;
  const drawn = Array.from({ length: 5 }, draw);
  // 4 is folded twice whatever the dice say: onto 2 when 3 goes, and into a base when 2 goes. Others may be, in the same way.
  const held = [4, ...drawn];
  const released = [
    [2, 11] as const,
    ...drawn
      .filter((number) => !held.includes(number - 2))
      .map((number) => [number - 2, Math.min(COUNT - 1, number + EXPIRE_AFTER + dice(8))] as const),
  ];
  const kept = [...held, ...numbers.slice(-LAST)].toSorted((a, b) => a - b);
  return {
    seed,
    kept,
    expired: numbers.filter((number) => !kept.includes(number)),
    released: new Map(released),
    pauses: numbers.map(() => 60 + dice(300)),
  };
}

/** The engine over the world's vault, as the service has it: one for many takes. */
export async function engineOf(world: World): Promise<Engine> {
  return compose(readSettings({ file: null, env: world.env, flags: {} }));
}

/** What became of the generations on their way. */
export type Story = {
  /** How often each was rewritten to stand on another. */
  readonly folds: ReadonlyMap<number, number>;
  /** Pages of its own that each had when it was taken. */
  readonly pagesAtTake: ReadonlyMap<number, number>;
};

/** Takes the forty while the job runs: holds and releases as the dice say, the policy after every fifth take. `around` wraps each take. */
export async function takeForty(
  { ports }: Engine,
  name: JobName,
  chance: Chance,
  around: (number: number, take: () => Promise<void>) => Promise<void>,
): Promise<Story> {
  const folds = new Map<number, number>();
  const pagesAtTake = new Map<number, number>();
  for (let number = 1; number <= COUNT; number++) {
    await wait(chance.pauses[number - 1]);
    await around(number, async () => {
      const { generation } = await take(ports, name);
      expect(generation.number).toBe(number);
      pagesAtTake.set(number, generation.pages.kept);
    });
    const mine = chance.kept.includes(number) && number <= COUNT - LAST;
    if (mine || chance.released.has(number)) await hold(ports, name, number, true, null);
    for (const [point, after] of chance.released) if (after === number) await hold(ports, name, point, false, null);
    if (number % EXPIRE_AFTER > 0) continue;
    const { plan } = await expire(ports, name, "UTC", "perform");
    for (const fold of plan.folds) folds.set(fold.number, (folds.get(fold.number) ?? 0) + 1);
  }
  return { folds, pagesAtTake };
}

/** What is left is what the dice said, in several chains, and folds have moved pages; nothing else lies in the vault. */
export async function expectThinned(world: World, engine: Engine, name: JobName, chance: Chance, story: Story): Promise<void> {
  const { kept } = chance;
  const generations = path.join(world.vault, "jobs", name, "generations");
  expect((await readdir(generations)).map(Number).toSorted((a, b) => a - b)).toEqual(kept);
  expect(kept.length).toBeGreaterThanOrEqual(8);
  expect(kept.length).toBeLessThanOrEqual(12);
  const { ports } = engine;
  const manifests = await Promise.all(kept.map((number) => ports.vault.manifest(name, number)));
  expect(manifests.filter(({ kind }) => kind === "base").length).toBeGreaterThanOrEqual(2);
  const grown = manifests.filter(({ number, pages }) => pages.kept > (story.pagesAtTake.get(number) ?? 0));
  const foldedAgain = [...story.folds].filter(([, times]) => times > 1).map(([number]) => number);
  const chains = manifests.map(({ number, parent }) => (parent ? `${number}>${parent.number}` : `${number}`)).join(" ");
  process.stderr.write(
    `${name}: FORTY_SEED=${chance.seed}, left ${chains}; took pages over: ${grown.map(({ number }) => number).join(" ")}; folded more than once: ${foldedAgain.join(" ")}\n`,
  );
  // With soft-dirty bits an `exec` makes the next one a base, so that there may be little to fold.
  if (manifests.every(({ tracking }) => tracking === "compare")) {
    expect(grown).not.toEqual([]);
    expect(foldedAgain).toContain(4);
  }
  expect(await world.json(["verify", name])).toMatchObject({ jobs: [{ checked: kept, damage: [] }] });
  const { expired, folds, sweeps } = (await expire(ports, name, "UTC", "plan")).plan;
  expect({ expired, folds, sweeps }).toEqual({ expired: [], folds: [], sweeps: [] });
}
