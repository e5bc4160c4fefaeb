import { mkdir, readFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";
import type { Attempt } from "./full-disk/attempt.ts";
import { fill, leave, makeRoom } from "./full-disk/ballast.ts";
import { allSound, headOf, nextIsSound, numbers, openScene, runsOn, type Scene, sizeOf, status } from "./full-disk/scene.ts";
import { atEachStep, withGrowingRoom } from "./full-disk/tries.ts";
import { loopDisk } from "./retention/loop-disk.ts";
import { type Service, startService, until } from "./service/service.ts";
import { gone, kill, lives, type StartDocument, type StatusDocument } from "./world.ts";

const platform = inject("platform");

/** Ten minutes: only in the long run, `HOLDFAST_TEST_LONG=1`. */
const isLongRun = process.env["HOLDFAST_TEST_LONG"] === "1";

describe.skipIf(!platform.ready || !isLongRun)("a disk that is full to the last byte", () => {
  const programs = platform.ready ? platform.programs : "";
  let scene: Scene;
  let service: Service | null = null;

  beforeAll(async () => {
    scene = await openScene(programs);
  });
  afterEach(() => {
    for (const { folder } of [scene.vaultDisk, scene.stagingDisk, scene.workDisk]) makeRoom(folder);
  });
  afterAll(async () => {
    await service?.end("SIGKILL");
    await scene.close();
  });

  test("from any step of a take on, costs nothing but that take", async () => {
    await atEachStep(scene, "take", scene.vaultDisk, async (told) => {
      await runsOn(scene, told);
      await nextIsSound(scene, told);
    });
    await allSound(scene);
  });

  test.each(["staging", "the vault"])(
    "in the middle of a take, with ever more room in %s, costs nothing but that take",
    async (place) => {
      const disk = place === "staging" ? scene.stagingDisk : scene.vaultDisk;
      await withGrowingRoom(scene, disk, ["take", "full"], async (told) => {
        await runsOn(scene, told);
        await nextIsSound(scene, told);
      });
      await allSound(scene);
    },
  );

  test("is told before anything begins where less is free than the settings ask for", async () => {
    const before = await headOf(scene);
    const refused = await scene.world.fault(["take", "full"], { HOLDFAST_VAULT_MIN_FREE: "10GiB" });
    expect(refused).toMatchObject({ status: 12, code: "space-short", remedy: expect.stringContaining("free some space") });
    expect(await headOf(scene)).toEqual(before);
    await runsOn(scene, "refused");
  });

  test.each(["hold", "dedup"])("from any step of a %s on, costs nothing but that", async (verb) => {
    await atEachStep(scene, verb, scene.vaultDisk, async (told) => {
      await runsOn(scene, told);
      const [oldest = 0] = (await numbers(scene)).toSorted((one, other) => one - other);
      const released = await scene.world.run(["release", "full", "--point", String(oldest)]);
      expect(released.status, `${told}: ${released.stderr}`).toBe(0);
    });
    await nextIsSound(scene, verb);
    await allSound(scene);
  });

  test("from any step of a retention pass on, keeps every point that is kept", async () => {
    await scene.world.json(["policy", "full", "--keep", "last=2"]);
    await atEachStep(scene, "expire", scene.vaultDisk, async (told) => {
      await runsOn(scene, told);
      await nextIsSound(scene, told);
    });
    await withGrowingRoom(scene, scene.vaultDisk, ["expire", "full"], async (told) => nextIsSound(scene, told));
    expect((await scene.world.run(["expire", "full"])).status).toBe(0);
    expect(await numbers(scene)).toHaveLength(2);
    await allSound(scene);
  });

  test("from any step of a restore on, leaves the files as they were, or the job running", async () => {
    await scene.world.json(["policy", "full", "--keep", "all"]);
    await kill(scene.init);
    let size = await sizeOf(scene, "append.log");
    const judge = async (told: string, fault: Attempt["fault"]): Promise<void> => {
      const { state, run } = await status(scene);
      if (fault === null) {
        expect(state, told).toBe("running");
        scene.init = run?.initPid ?? 0;
        await runsOn(scene, told);
        await kill(scene.init);
        size = await sizeOf(scene, "append.log");
        return;
      }
      expect(state, told).toBe("crashed");
      expect(await sizeOf(scene, "append.log"), told).toBe(size);
    };
    await atEachStep(scene, "restore", scene.vaultDisk, judge);
    await withGrowingRoom(scene, scene.vaultDisk, ["restore", "full"], judge);
    fill(scene.workDisk.folder);
    const refused = await scene.world.run(["restore", "full", "--json"]);
    makeRoom(scene.workDisk.folder);
    if (refused.status !== 0) expect(JSON.parse(refused.stdout), refused.stdout).toMatchObject({ fault: { code: "space-short" } });
    else await kill((await status(scene)).run?.initPid ?? 0);
    await scene.world.json(["restore", "full"]);
    scene.init = (await status(scene)).run?.initPid ?? 0;
    await runsOn(scene, "restored at last");
    await nextIsSound(scene, "restored at last");
    await allSound(scene);
  });

  test("does not end the service, which takes on as soon as there is room", async () => {
    const cwd = path.join(scene.world.cwd, "served");
    await mkdir(cwd);
    service = await startService(scene.world);
    const { count, lines } = service;
    const words = ["run", "--name", "served", "--cwd", cwd, "--every", "1s", "--keep", "last=2", "--output", "out", "--"];
    const served = await scene.world.json<StartDocument>([...words, `${programs}/single`, "999999", "5000", "1"]);
    await until("two takes", () => count("took", "served") > 1);
    fill(scene.vaultDisk.folder);
    const failed = (): number => lines().filter((line) => line.code === "vault-full").length;
    const before = failed();
    await until("a take that fails for want of room", () => failed() > before);
    await runsOn(scene, "under a full service");
    expect(await lives(served.initPid)).toBe(true);
    makeRoom(scene.vaultDisk.folder);
    const took = count("took");
    await until("a take again", () => count("took") > took);
    expect(await service.end("SIGTERM")).toBe(0);
    service = null;
    await kill(served.initPid);
    await allSound(scene);
  });

  test("does not take along how a job ended: its init has the room for that since the start", async () => {
    const words = ["run", "--name", "short", "--every", "never", "--output", "/dev/null", "--", "/bin/sh", "-c", "sleep 2; exit 5"];
    const short = await scene.world.json<StartDocument>(words);
    fill(scene.vaultDisk.folder);
    await gone(short.initPid);
    makeRoom(scene.vaultDisk.folder);
    const { jobs } = await scene.world.json<StatusDocument>(["status", "short"]);
    expect(jobs).toMatchObject([{ state: "failed", run: { ending: { type: "exited", status: 5 } } }]);
  });

  test("ends no command by a signal, even where SQLite's mapped file has no block behind it", async () => {
    const small = await loopDisk(16, 1024);
    try {
      const there = { HOLDFAST_CATALOGUE: path.join(small.folder, "catalogue.sqlite") };
      expect((await scene.world.run(["status"], there)).status).toBeLessThan(4);
      for (const bytes of [0, 8, 24, 64].map((kibibytes) => kibibytes * 1024)) {
        leave(small.folder, bytes);
        expect(await scene.world.fault(["status"], there)).toMatchObject({ status: 14, code: "vault-full" });
      }
      makeRoom(small.folder);
      expect((await scene.world.run(["status"], there)).status).toBeLessThan(4);
    } finally {
      makeRoom(small.folder);
      await small.remove();
    }
  });

  test("leaves no gap and no double line in what the job wrote", async () => {
    const { run } = await status(scene);
    await kill(run?.initPid ?? 0);
    for (const name of ["plain.dat", "append.log"]) {
      const lines = (await readFile(path.join(scene.world.cwd, name), "latin1")).split("\n").slice(0, -1);
      expect(lines.length).toBeGreaterThan(100);
      expect(lines.findIndex((line, step) => !line.startsWith(`step ${String(step).padStart(6, "0")} `))).toBe(-1);
    }
    expect(await readFile(path.join(scene.world.cwd, "out"), "latin1")).not.toContain("wrong");
  });
});
