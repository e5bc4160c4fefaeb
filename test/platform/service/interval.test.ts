import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { openWorld, type PointsDocument, type StartDocument, type StatusDocument, type World } from "../world.ts";
import { type Service, startService, until } from "./service.ts";

const platform = inject("platform");
const reason = platform.ready ? "" : ` (skipped: ${platform.why})`;

type Status = StatusDocument["jobs"][number] & { readonly intervalSeconds: number; readonly exposureLimitSeconds: number };
type Best = { readonly everySeconds: number; readonly ruledBy: string; readonly overhead: number; readonly lossSeconds: number };
type Advice = {
  readonly cost: { readonly seconds: number; readonly freezeSeconds: number; readonly generations: number } | null;
  readonly failures: { readonly count: number; readonly mtbfSeconds: number };
  readonly autoSeconds: number;
  readonly now: { readonly everySeconds: number } | null;
  readonly own: Best & { readonly shorterFreeze: Best };
  readonly examples: readonly (Best & { readonly mtbfSeconds: number })[];
};

describe.skipIf(!platform.ready)(`every = "auto"${reason}`, () => {
  let world: World;
  let service: Service;
  // A machine that fails every ten minutes, so that the test sees a second generation.
  const env = { HOLDFAST_INTERVAL_MTBF: "10m", HOLDFAST_INTERVAL_MIN_EVERY: "2s", HOLDFAST_INTERVAL_MAX_OVERHEAD: "10%" };
  const status = async () => (await world.json<{ jobs: readonly Status[] }>(["status", "a"], env)).jobs[0]!;
  /** A take of the service's may be under way: then the answer is `busy` (11), and to try again. */
  const patiently = (words: readonly string[]) =>
    until(`done: ${words.join(" ")}`, async () => {
      const { status: said, stderr } = await world.run(words, env);
      if (said !== 0 && said !== 11) throw new Error(stderr);
      return said === 0;
    });
  const advice = () => world.json<Advice>(["advise", "a"], env);

  beforeAll(async () => {
    world = await openWorld();
    Object.assign(world.env, env);
    service = await startService(world);
  });
  afterAll(async () => {
    await service.end("SIGKILL");
    await world.close();
  });

  test("the first generation comes soon, and its cost decides when the next ones do", async () => {
    await world.json<StartDocument>([
      ...["run", "--name", "a", "--every", "auto", "--keep", "all", "--cwd", world.cwd, "--exposure-limit", "auto"],
      ...["--", "sleep", "3600"],
    ]);
    await until("the first take", () => service.count("took", "a") >= 1);
    const told = await advice();
    expect(told.cost?.seconds).toBeGreaterThan(0.001);
    expect(told.cost?.seconds).toBeGreaterThanOrEqual(told.cost?.freezeSeconds ?? Infinity);
    expect(told.examples.map((one) => one.mtbfSeconds)).toEqual([86_400, 7 * 86_400, 30 * 86_400]);
    expect(told.own.shorterFreeze.everySeconds).toBeLessThanOrEqual(told.own.everySeconds);
    const { intervalSeconds, exposureLimitSeconds } = await status();
    expect(told.now?.everySeconds).toBe(intervalSeconds);
    expect(exposureLimitSeconds).toBe(Math.max(60, 3 * intervalSeconds));
    await until("the second take", () => service.count("took", "a") >= 2);
    const { points } = await world.json<PointsDocument>(["points", "a"]);
    expect(points.slice(0, 2)).toMatchObject([{ kind: "base" }, { kind: "increment" }]);
  });

  test("advise says in words what it says in JSON, and a job can be changed to another interval and back", async () => {
    const { stdout } = await world.run(["advise", "a"], env);
    expect(stdout).toMatch(/^a: a generation costs [\d.]+ s \([\d.]+ s frozen, at most [\d.]+ s of slowdown outside that\)/);
    for (const words of ["1d", "7d", "30d", "a freeze half as long", "now: every"]) expect(stdout).toContain(words);
    await patiently(["policy", "a", "--every", "1h"]);
    expect(await advice()).toMatchObject({ now: { everySeconds: 3600 } });
    expect((await status()).intervalSeconds).toBeNull();
    await patiently(["policy", "a", "--every", "auto"]);
    expect((await advice()).now?.everySeconds).toBeLessThan(3600);
  });

  test("without a generation there is nothing to go by, and advise says what to do", async () => {
    await world.json<StartDocument>(["run", "--name", "b", "--every", "never", "--cwd", world.cwd, "--", "sleep", "3600"]);
    expect((await world.run(["advise", "b"], env)).stdout).toContain("`holdfast take b` takes one");
    expect(await world.fault(["advise", "nobody"])).toMatchObject({ status: 10, code: "job-unknown" });
  });
});
