import { writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { openWorld, type PointsDocument, type World } from "../world.ts";
import { type Service, startService, until } from "./service.ts";

const platform = inject("platform");
const reason = platform.ready ? "" : ` (skipped: ${platform.why})`;

// A fold of the smallest job takes many minutes at this rate.
const config = `[sweep]\nmax-rate = "100"\n`;

describe.skipIf(!platform.ready)(`a service whose own work is held to a crawl${reason}`, () => {
  let world: World;
  let service: Service;
  const points = async () => (await world.json<PointsDocument>(["points", "lj"])).points;
  /** Retention that finds the next take at work already gives up: its turn comes after that one. */
  const failed = () =>
    service
      .lines()
      .filter(({ event, code }) => event?.endsWith("-failed") === true && !(event === "expire-failed" && code === "busy"));

  beforeAll(async () => {
    world = await openWorld();
    const file = path.join(world.root, "crawl.toml");
    await writeFile(file, config);
    service = await startService({ ...world, env: { ...world.env, HOLDFAST_CONFIG: file } });
  });
  afterAll(async () => {
    await service.end("SIGKILL");
    await world.close();
  });

  test("takes what falls due in the middle of retention, late at most, and the retention gets done all the same", async () => {
    await world.json(["run", "--name", "lj", "--keep", "last=2", "--cwd", world.cwd, "--every", "3s", "--", "sleep", "3600"]);
    await until("retention under way", () => service.count("took", "lj") >= 3);
    await until("points that are gone", () => service.count("expired", "lj") >= 1);
    await until("more takes", () => service.count("took", "lj") >= 6);
    expect(failed()).toEqual([]);
    expect((await points()).length).toBeLessThanOrEqual(5);
  });

  test("stops its retention at once when it is told to stop", async () => {
    const [swept, began] = [service.count("expired", "lj"), performance.now()];
    // Just after a take it is at work on a fold, or about to be.
    const before = service.count("took", "lj");
    await until("one more take", () => service.count("took", "lj") > before);
    expect(await service.end("SIGTERM")).toBe(0);
    expect(performance.now() - began).toBeLessThan(45_000);
    expect(service.count("expired", "lj") - swept).toBeLessThanOrEqual(1);
    for (const { code } of failed()) expect(code).toBe("service-stopping");
    expect((await world.run(["verify", "lj"])).status).toBe(0);
  });
});
