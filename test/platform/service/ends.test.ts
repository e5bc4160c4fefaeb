import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { kill, lives, openWorld, type StartDocument, type StatusDocument, type World } from "../world.ts";
import { type Service, startService, until } from "./service.ts";

const platform = inject("platform");
const reason = platform.ready ? "" : ` (skipped: ${platform.why})`;

describe.skipIf(!platform.ready)(`the service and the lives of jobs${reason}`, () => {
  let world: World;
  let service: Service;

  const run = (name: string, every: string, ...command: string[]) =>
    world.json<StartDocument>(["run", "--name", name, "--cwd", world.cwd, "--every", every, "--", ...command]);
  const jobs = async () => (await world.json<StatusDocument>(["status"])).jobs;

  beforeAll(async () => {
    world = await openWorld();
    service = await startService(world);
  });
  afterAll(async () => {
    await service.end("SIGKILL");
    await world.close();
  });

  test("finished, failed by its status, failed by a signal and crashed are told apart and written down", async () => {
    await run("well", "never", "sh", "-c", "sleep 1");
    await run("badly", "never", "sh", "-c", "sleep 1; exit 3");
    await run("hit", "never", "sh", "-c", "sleep 1; kill -SEGV $$");
    const gone = await run("gone", "never", "sleep", "3600");
    await kill(gone.initPid);
    await until("four ends in the log", () => service.count("run-ended") >= 4);
    const ends = service.lines().flatMap((line) => (line.event === "run-ended" ? [`${line.job} ${line.state}`] : []));
    expect(ends.toSorted()).toEqual(["badly failed", "gone crashed", "hit failed", "well finished"]);
    expect(await jobs()).toMatchObject([
      { name: "badly", state: "failed", run: { ending: { type: "exited", status: 3 } } },
      { name: "gone", state: "crashed", run: { ending: null } },
      { name: "hit", state: "failed", run: { ending: { type: "signaled", signal: 11 } } },
      { name: "well", state: "finished", run: { ending: { type: "exited", status: 0 } } },
    ]);
    for (const name of ["badly", "gone", "hit", "well"]) {
      const { run } = JSON.parse(await readFile(path.join(world.vault, "jobs", name, "runs/1/run.json"), "utf8")) as {
        run: { endedAt: number | null };
      };
      expect(run.endedAt).not.toBeNull();
    }
  });

  test("a SIGTERM in the middle of a take lets it end, and leaves the job running", async () => {
    // Memory that takes a moment to dump, and a sign of life.
    const program =
      "import os,time\nmemory=os.urandom(1<<26)*2\nn=0\nwhile True:\n n+=1\n open('beat','w').write(str(n))\n time.sleep(.02)\n";
    const { pid } = await run("large", "1s", "python3", "-c", program);
    const making = path.join(world.vault, "jobs/large/generations");
    await until("a take under way", async () =>
      (await readdir(making).catch(() => [])).some((name) => name.startsWith(".making-")),
    );
    expect(await service.end("SIGTERM")).toBe(0);
    expect(await lives(pid)).toBe(true);
    const beat = () => readFile(path.join(world.cwd, "beat"), "utf8");
    const before = Number(await beat());
    await until("a job that goes on", async () => Number(await beat()) > before);
    const [large] = (await jobs()).filter((job) => job.name === "large");
    expect(large).toMatchObject({ state: "running", newestPoint: service.count("took", "large"), lastFault: null });
    expect(await readdir(making)).toEqual(Array.from({ length: large!.newestPoint! }, (_, index) => String(index + 1)));
  });

  test("a kill of the service leaves its jobs running, and the next service goes on with them", async () => {
    service = await startService(world);
    await service.end("SIGKILL");
    expect((await jobs()).find((job) => job.name === "large")).toMatchObject({ state: "running" });
    service = await startService(world);
    const before = service.count("took", "large");
    await until("a further take", () => service.count("took", "large") > before);
  });
});
