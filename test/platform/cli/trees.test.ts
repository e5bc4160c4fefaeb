import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { until } from "../service/service.ts";
import { kill, lives, openWorld, type RestoreDocument, type World } from "../world.ts";

const platform = inject("platform");
const reason = platform.ready ? "" : ` (skipped: ${platform.why})`;
const counting = "i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done";
/** As a batch system starts a job: what the test runner left open is none of it. */
const alone = 'for fd in /proc/$$/fd/*; do n=${fd##*/}; [ "$n" -gt 2 ] && eval "exec $n>&-"; done; exec "$@"';

describe.skipIf(!platform.ready)(`trees, exports and the catalogue${reason}`, () => {
  let world: World;
  let file: string;
  const said = async () => (await readFile(file, "utf8")).trimEnd().split("\n");
  const countsOn = async () => {
    const before = (await said()).length;
    await until("a tree that counts on", async () => (await said()).length > before + 2);
    const lines = (await said()).slice(0, -1);
    expect(lines).toEqual(lines.map((_, index) => String(index + 1)));
  };

  beforeAll(async () => {
    world = await openWorld();
    file = path.join(world.cwd, "out");
  });
  afterAll(async () => {
    await world.close();
  });

  test("a tree that already runs is taken on, killed and brought back", async () => {
    const out = openSync(file, "a");
    const tree = spawn("setsid", ["bash", "-c", alone, "bash", "sh", "-c", counting], {
      cwd: world.cwd,
      stdio: ["ignore", out, out],
    });
    closeSync(out);
    const pid = tree.pid ?? 0;
    await until("a first line", async () => (await said())[0] === "1");
    const checked = await world.json<{ protectable: boolean }>(["check", String(pid)]);
    expect(checked.protectable).toBe(true);
    expect(await world.json(["protect", String(pid), "--name", "tree", "--every", "1d"])).toMatchObject({
      job: "tree",
      pid,
      run: 1,
    });
    expect(await world.json(["take", "tree"])).toMatchObject({ point: 1, kind: "base" });
    await countsOn();
    expect(await world.json(["take", "tree"])).toMatchObject({ point: 2, kind: "increment" });
    await kill(pid);
    expect((await world.json<{ jobs: unknown[] }>(["status", "tree"])).jobs).toMatchObject([
      { state: "crashed", origin: "adopted" },
    ]);
    const restored = await world.json<RestoreDocument>(["restore", "tree"]);
    expect(restored).toMatchObject({ point: 2, run: 2 });
    expect(restored.pid).not.toBe(pid);
    await countsOn();
  });

  test("what cannot be protected is told by check, with exit status 12 and nothing left running", async () => {
    const fine = await world.json(["check", "--seconds", "0.5", "--cwd", world.cwd, "--", "sleep", "3600"]);
    expect(fine).toMatchObject({ protectable: true });
    const program =
      "import socket,time; a=socket.create_server(('127.0.0.1',0)); b=socket.create_connection(a.getsockname()); import os; os.fork() or os.setsid(); time.sleep(3600)";
    const words = ["check", "--json", "--seconds", "0.5", "--cwd", world.cwd, "--", "python3", "-c", program];
    expect(JSON.parse((await world.run(words)).stdout)).toMatchObject({ findings: expect.any(Array) });
    const left = (await readdir("/proc"))
      .filter((name) => /^\d+$/.test(name))
      .map(async (name) => readFile(`/proc/${name}/cmdline`, "utf8").catch(() => ""));
    expect((await Promise.all(left)).filter((line) => line.includes(program) && !line.includes("check"))).toEqual([]);
  });

  test("an exported point is restored by criu alone", async () => {
    await kill((await world.json<{ jobs: { run: { initPid: number } }[] }>(["status", "tree"])).jobs[0]!.run.initPid);
    const folder = path.join(world.root, "export");
    const exported = await world.json<{ directory: string; restoreOptions: string[] }>(["export", "tree", folder, "--point", "2"]);
    expect(exported).toMatchObject({ job: "tree", point: 2, directory: folder });
    expect(await readdir(folder)).not.toContain("parent");
    expect(await world.fault(["export", "tree", folder])).toMatchObject({ status: 12, code: "directory-not-empty" });
    await rm(world.vault, { recursive: true });
    const work = path.join(world.root, "by-hand");
    await mkdir(work);
    const before = (await said()).length;
    const criu = platform.ready ? platform.criu : [];
    const namespaces = ["unshare", "--pid", "--fork", "--mount-proc", "--ipc", "--kill-child=SIGKILL", "--"];
    const [first = "", ...rest] = [
      ...namespaces,
      ...criu,
      "restore",
      "-D",
      folder,
      "-W",
      work,
      "-o",
      "log",
      ...exported.restoreOptions,
    ];
    const byHand = spawn(first, rest, { stdio: "ignore" });
    try {
      await until("a job that goes on without Holdfast", async () => (await said()).length > before + 2);
    } finally {
      byHand.kill("SIGKILL");
      await once(byHand, "exit");
    }
  });
});

describe.skipIf(!platform.ready)(`the catalogue is an index${reason}`, () => {
  let world: World;
  const shown = async (): Promise<unknown> => {
    const listed = await world.json<{ points: unknown[] }>(["points", "one"]);
    const jobs = (await world.json<{ jobs: Record<string, unknown>[] }>(["status"])).jobs.map((job) => ({
      ...job,
      exposureSeconds: null,
    }));
    return { listed, jobs };
  };
  const files = async () => readdir(world.root);
  const catalogue = () => world.env["HOLDFAST_CATALOGUE"] ?? "";
  const remove = async () => {
    for (const name of await files()) if (name.startsWith("catalogue.sqlite")) await rm(path.join(world.root, name));
  };

  beforeAll(async () => {
    world = await openWorld();
    await world.json(["run", "--name", "one", "--cwd", world.cwd, "--every", "1d", "--", "sleep", "3600"]);
    await world.json(["take", "one"]);
    await world.json(["take", "one"]);
    await world.json([
      "run",
      "--name",
      "two",
      "--cwd",
      world.cwd,
      "--cron",
      "0 0 1 1 *",
      "--zone",
      "UTC",
      "--",
      "sh",
      "-c",
      "exit 3",
    ]);
    await world.json(["restore", "one", "--replace", "--no-take"]);
    await world.json(["stop", "one"]);
    await world.json(["resume", "one"]);
    await until(
      "the end of the other",
      async () => (await world.json<{ jobs: { state: string }[] }>(["status", "two"])).jobs[0]?.state === "failed",
    );
  });
  afterAll(async () => {
    await world.close();
  });

  test("deleted, it is made again by itself and says the same", async () => {
    // The end of a run is written down by whoever looks after the job; here that is the refused take.
    expect((await world.fault(["take", "two"])).code).toBe("not-running");
    const before = await shown();
    await remove();
    expect(await shown()).toEqual(before);
    await remove();
    expect(await world.json(["catalogue", "rebuild"])).toMatchObject({ jobs: 2, generations: 3, damaged: [] });
    expect(await shown()).toEqual(before);
  });

  test("damaged, it is refused with the remedy, and the rebuild sets it aside", async () => {
    const before = await shown();
    await remove();
    await writeFile(catalogue(), "this is not a catalogue, but long enough to look at for the header of one: ".repeat(20));
    expect(await world.fault(["status"])).toMatchObject({
      status: 13,
      code: "catalogue-damaged",
      remedy: expect.stringContaining("catalogue rebuild"),
    });
    const { setAside } = await world.json<{ setAside: string }>(["catalogue", "rebuild"]);
    expect(await readFile(setAside, "utf8")).toContain("this is not a catalogue");
    expect(await shown()).toEqual(before);
    expect(await lives((await world.json<{ jobs: { run: { pid: number } }[] }>(["status", "one"])).jobs[0]!.run.pid)).toBe(true);
  });
});
