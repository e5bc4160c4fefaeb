import { chmod, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, inject, test } from "vitest";
import { lives, openWorld, type PointsDocument, type StartDocument, type World } from "../world.ts";
import { startService, until } from "./service.ts";

const platform = inject("platform");
const reason = platform.ready ? "" : ` (skipped: ${platform.why})`;

type TakeAllDocument = {
  readonly jobs: readonly {
    readonly job: string;
    readonly outcome: "took" | "skipped" | "failed";
    readonly take?: { readonly point: number };
    readonly predictedMilliseconds?: number | null;
    readonly leftMilliseconds?: number;
  }[];
};

describe.skipIf(!platform.ready)(`last generations${reason}`, () => {
  let world: World;
  beforeEach(async () => {
    world = await openWorld();
  });
  afterEach(async () => world.close());

  const start = (name: string, ...words: string[]) =>
    world.json<StartDocument>(["run", "--name", name, "--keep", "all", "--every", "never", "--cwd", world.cwd, "--", ...words]);
  const points = async (name: string) => (await world.json<PointsDocument>(["points", name])).points;
  const lived = (last: string) => ({ ...world, env: { ...world.env, HOLDFAST_SERVICE_LAST_TAKES: last } });

  test("are taken of each job at SIGTERM if the settings say always, and the jobs live on", async () => {
    const [a, b] = [await start("a", "sleep", "3600"), await start("b", "sleep", "3600")];
    const service = await startService(lived("always"));
    expect(await service.end("SIGTERM")).toBe(0);
    expect([(await points("a")).length, (await points("b")).length]).toEqual([1, 1]);
    expect([await lives(a.pid), await lives(b.pid)]).toEqual([true, true]);
    expect([service.count("last-takes"), service.count("last-take", "a"), service.count("last-take", "b")]).toEqual([1, 1, 1]);
  });

  test("are not taken where only the service ends and the machine does not", async () => {
    await start("a", "sleep", "3600");
    const service = await startService(lived("shutdown"));
    expect(await service.end("SIGTERM")).toBe(0);
    expect([await points("a"), service.count("last-takes")]).toEqual([[], 0]);
  });

  test("asked for with a deadline take what fits of two jobs, and say of the other what it would need", async () => {
    const memory = "import os,time\nmemory=os.urandom(1<<28)\ntime.sleep(3600)";
    await start("large", "python3", "-c", memory);
    await start("small", "sleep", "3600");
    const all = await world.json<TakeAllDocument>(["take", "--all"]);
    expect(all.jobs.map(({ job, outcome }) => `${job} ${outcome}`).toSorted()).toEqual(["large took", "small took"]);
    const predicted = await world.run(["take", "--all", "--deadline", "1s", "--json"]);
    expect(predicted.status).toBe(3);
    const { jobs } = JSON.parse(predicted.stdout) as TakeAllDocument;
    const large = jobs.find(({ job }) => job === "large");
    expect(large).toMatchObject({ outcome: "skipped" });
    expect(large?.predictedMilliseconds).toBeGreaterThan(1_000);
    expect(await points("large")).toHaveLength(1);
    expect(await world.fault(["take", "large", "--deadline", "1s"])).toMatchObject({ status: 11, code: "deadline-short" });
    const wide = await world.json<TakeAllDocument>(["take", "--all", "--deadline", "90s"]);
    expect(wide.jobs.map(({ outcome }) => outcome)).toEqual(["took", "took"]);
    expect(await world.fault(["take", "large", "--all"])).toMatchObject({ status: 2, code: "usage" });
  });

  test("a hook hears of a take by the command line, and of one by the service", async () => {
    const heard = path.join(world.root, "heard");
    const hook = path.join(world.root, "hook");
    await writeFile(hook, `#!/bin/sh\ncat >> '${heard}'\n`);
    await chmod(hook, 0o755);
    const config = path.join(world.root, "holdfast.toml");
    await writeFile(config, `[notices]\ntook = [${JSON.stringify(hook)}]\n`);
    const env = { ...world.env, HOLDFAST_CONFIG: config };
    const events = async () =>
      (await readFile(heard, "utf8").catch(() => ""))
        .split("\n")
        .filter(Boolean)
        .map((line) => JSON.parse(line) as { readonly event: string; readonly point: number });
    await start("a", "sleep", "3600");
    await world.json(["take", "a"], { HOLDFAST_CONFIG: config });
    await until("the first notice", async () => (await events()).length === 1);
    await world.json(["run", "--name", "b", "--every", "1s", "--cwd", world.cwd, "--", "sleep", "3600"]);
    const service = await startService({ ...world, env });
    try {
      await until("three of b", async () => (await events()).length >= 4);
      expect(service.count("task-failed") + service.count("notice-failed")).toBe(0);
    } finally {
      expect(await service.end("SIGTERM")).toBe(0);
    }
    expect((await events()).slice(0, 3)).toMatchObject([
      { event: "took", job: "a", point: 1, vault: world.vault },
      { event: "took", job: "b", point: 1 },
      { event: "took", job: "b", point: 2 },
    ]);
  });

  test("a second service with another catalogue on the same vault is refused", async () => {
    const service = await startService(world);
    const other = { HOLDFAST_CATALOGUE: path.join(world.root, "other.sqlite") };
    const refused = await world.fault(["serve"], other);
    expect(refused).toMatchObject({ status: 11, code: "service-running" });
    expect(refused.message).toContain(String(service.pid));
    await service.end("SIGKILL");
    const next = await startService({ ...world, env: { ...world.env, ...other } });
    expect(await next.end("SIGTERM")).toBe(0);
  });
});
