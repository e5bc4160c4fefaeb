import { readFile, rm, truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { until } from "../service/service.ts";
import { launcher } from "../setup.ts";
import {
  kill,
  lives,
  openWorld,
  type Point,
  type RestoreDocument,
  type StartDocument,
  type StatusDocument,
  type TakeDocument,
  type World,
} from "../world.ts";

const platform = inject("platform");
const reason = platform.ready ? "" : ` (skipped: ${platform.why})`;
const counting = "i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done";

/** One job's life through the commands; each test goes on where the one before ended. */
describe.skipIf(!platform.ready)(`a job through the commands${reason}`, () => {
  let world: World;

  const points = async (name = "job") => (await world.json<{ points: readonly Point[] }>(["points", name])).points;
  const numbers = async () => (await points()).map((point) => point.number);
  const job = async (name = "job") => (await world.json<StatusDocument>(["status", name])).jobs[0]!;
  const output = async (name = "job") =>
    (await readFile(path.join(world.vault, "jobs", name, "output/out"), "utf8")).trimEnd().split("\n");
  const end = async () => kill((await job()).run?.initPid ?? 0);
  /** The lines at point 2: it has said all of them again, so that point 2 finds its output as long as it was. */
  let longest = 0;
  const caughtUp = async () => {
    await until("all that was ever said", async () => (await output()).length >= longest);
  };
  const restore = (...words: string[]) => world.json<RestoreDocument>(["restore", "job", ...words]);
  /** It counts on without a gap and without a number said twice. */
  const countsOn = async (name = "job") => {
    const before = (await output(name)).length;
    await until("a job that counts on", async () => (await output(name)).length > before + 2);
    const said = (await output(name)).slice(0, -1);
    expect(said).toEqual(said.map((_, index) => String(index + 1)));
  };

  beforeAll(async () => {
    world = await openWorld();
    await world.json<StartDocument>(["run", "--name", "job", "--cwd", world.cwd, "--every", "1d", "--", "sh", "-c", counting]);
    expect(await world.json<TakeDocument>(["take", "job"])).toMatchObject({ job: "job", point: 1, kind: "base", parent: null });
  });
  afterAll(async () => {
    await world.close();
  });

  test("stop takes a last generation and ends it; resume brings it back", async () => {
    const stopped = await world.json<{ point: number }>(["stop", "job"]);
    expect(stopped).toMatchObject({
      job: "job",
      point: 2,
      ending: { type: "signaled", signal: 15 },
      take: { point: 2, kind: "increment" },
    });
    expect(await job()).toMatchObject({ state: "stopped", exposureSeconds: null });
    longest = (await output()).length;
    expect(await world.fault(["stop", "job"])).toMatchObject({ status: 12, code: "not-running" });
    expect(await world.fault(["take", "job"])).toMatchObject({ status: 12, code: "not-running" });
    expect(await world.json(["resume", "job"])).toMatchObject({ point: 2, run: 2, timeline: 2 });
    expect(await job()).toMatchObject({ state: "running" });
    await countsOn();
  });

  test("a restore of a running job is refused, and replaces it only when asked: with a last generation, or without", async () => {
    const { run } = await job();
    expect(await world.fault(["restore", "job"])).toMatchObject({ status: 12, code: "still-running" });
    expect((await job()).run).toEqual(run);
    expect(await restore("--replace", "--point", "1")).toMatchObject({ point: 1, run: 3, timeline: 3 });
    expect(await points()).toMatchObject([{ number: 1 }, { number: 2 }, { number: 3, timeline: 2, kind: "base" }]);
    expect(await lives(run?.pid ?? 0)).toBe(false);
    expect(await restore("--replace", "--no-take", "--point", "1")).toMatchObject({ point: 1, run: 4 });
    expect(await numbers()).toEqual([1, 2, 3]);
    await countsOn();
  });

  test("a restore goes by the time and by the timeline it is asked for", async () => {
    const [first, second] = await points();
    await end();
    const between = new Date((Date.parse(first!.time) + Date.parse(second!.time)) / 2).toISOString();
    expect(await restore("--at", between)).toMatchObject({ point: 1 });
    await caughtUp();
    await end();
    expect(await restore("--timeline", "1")).toMatchObject({ point: 2 });
    await end();
    expect(await world.fault(["restore", "job", "--at", "2001-02-03T04:05Z"])).toMatchObject({
      status: 10,
      code: "no-point-before",
    });
    expect(await world.fault(["restore", "job", "--timeline", "9"])).toMatchObject({ status: 10, code: "timeline-unknown" });
  });

  test("a damaged point is refused, and passed over with --fallback; then it is offered no more", async () => {
    await caughtUp();
    await end();
    const pages = path.join(world.vault, "jobs/job/generations/3/pages-1.img");
    await truncate(pages, 4096);
    expect(await restore("--fallback")).toMatchObject({ point: 2, passedOver: [{ number: 3 }] });
    expect(await numbers()).toEqual([1, 2]);
    const shown = await world.run(["status", "job"]);
    expect(shown.status).toBe(13);
    expect(shown.stdout).toContain("job: generation 3 is damaged; point 2 is the newest still offered (`holdfast restore job`)");
    expect(shown.stdout).not.toContain("\u001b");
    await countsOn();
  });

  test("--replace --fallback looks for a sound point before it ends what runs", async () => {
    await world.json<TakeDocument>(["take", "job"]);
    await truncate(path.join(world.vault, "jobs/job/generations/4/pages-1.img"), 4096);
    const { run } = await job();
    expect(await world.fault(["restore", "job", "--replace"])).toMatchObject({ status: 13, code: "point-damaged" });
    expect((await job()).run).toEqual(run);
    await rm(path.join(world.vault, "jobs/job/generations/2/pages-1.img"));
    expect(await world.fault(["verify", "job", "--read-data", "1/7"])).toMatchObject({ status: 2, code: "share-invalid" });
    expect(await restore("--replace", "--fallback", "--no-take", "--point", "2")).toMatchObject({
      point: 1,
      passedOver: [{ number: 2 }],
    });
    expect(await numbers()).toEqual([1]);
  });

  test("a restore whose command line is killed is undone by the next command, and what it began is ended", async () => {
    await end();
    const words = platform.ready ? platform.criu.join(" ") : "";
    const slow = path.join(world.root, "slow-criu");
    await writeFile(slow, `#!/bin/sh\ncase " $* " in *" restore "*) sleep 5 ;; esac\nexec ${words} "$@"\n`, { mode: 0o755 });
    const before = await output();
    const env = { ...process.env, ...world.env, HOLDFAST_CRIU_PATH: slow };
    const started = spawn(launcher, ["restore", "job", "--point", "1"], { env, stdio: "ignore" });
    const folder = path.join(world.vault, "jobs/job/runs");
    const number = ((await job()).run as unknown as { number: number }).number + 1;
    const init = async () => Number(await readFile(path.join(folder, String(number), "init"), "utf8").catch(() => "0"));
    await until("a restore under way", async () => (await init()) > 0);
    const initPid = await init();
    started.kill("SIGKILL");
    await once(started, "exit");
    expect(await lives(initPid)).toBe(true);
    expect(await output()).not.toEqual(before);
    expect(await world.fault(["take", "job"])).toMatchObject({ code: "not-running" });
    expect(await lives(initPid)).toBe(false);
    expect(await output()).toEqual(before);
    expect(await restore()).toMatchObject({ point: 1, run: number });
    await countsOn();
  });

  test("logs show what it printed, and -f ends with it", async () => {
    expect(await world.json(["logs", "job"])).toMatchObject({ job: "job", output: path.join(world.vault, "jobs/job/output/out") });
    const followed = world.run(["logs", "job", "-f"]);
    await wait(1000);
    await end();
    const { status, stdout } = await followed;
    expect(status).toBe(0);
    expect(stdout.trimEnd().split("\n")).toEqual(await output());
    const cut = spawn("sh", ["-c", `${launcher} logs job | head -n 1`], {
      env: { ...process.env, ...world.env },
      stdio: ["ignore", "ignore", "pipe"],
    });
    let complaint = "";
    cut.stderr.on("data", (part: Buffer) => (complaint += part.toString()));
    await once(cut, "close");
    expect(complaint).toBe("");
  });

  // A restore to an older point cuts an appended file; the newer point has only its length, and the rest lies in the undo folder.
  test("after a step back, every newer point is still restorable: what only its output held is not lost", async () => {
    await world.json([
      "run",
      "--name",
      "regret",
      "--cwd",
      world.cwd,
      "--every",
      "never",
      "--",
      "sh",
      "-c",
      "while :; do date +%N; sleep 0.02; done",
    ]);
    await world.json(["take", "regret"]);
    await world.json(["take", "regret"]);
    await world.json(["restore", "regret", "--replace", "--no-take", "--point", "1"]);
    await world.json(["restore", "regret", "--replace", "--no-take", "--point", "2"]);
  });

  test("retire asks what becomes of the points; kept they stay restorable, deleted they free the name", async () => {
    expect(await world.fault(["retire", "job"])).toMatchObject({ status: 12, code: "points-undecided" });
    expect(await world.json(["retire", "job", "--keep-points"])).toMatchObject({ points: 1, deleted: false, stillRuns: false });
    expect((await world.json<StatusDocument>(["status"])).jobs.map(({ name }) => name)).not.toContain("job");
    expect(await job()).toMatchObject({ state: "retired" });
    expect((await world.fault(["run", "--name", "job", "--", "true"])).code).toBe("name-taken");
    expect(await restore()).toMatchObject({ point: 1 });
    expect(await job()).toMatchObject({ state: "running" });
    await countsOn();
    await end();
    expect(await world.json(["retire", "job", "--delete-points"])).toMatchObject({ points: 1, deleted: true });
    expect(await world.fault(["points", "job"])).toMatchObject({ status: 10, code: "job-unknown" });
    await world.json(["run", "--name", "job", "--cwd", world.cwd, "--", "true"]);
  });
});
