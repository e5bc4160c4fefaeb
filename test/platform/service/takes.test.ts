import Database from "better-sqlite3";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { lives, openWorld, type PointsDocument, type StartDocument, type StatusDocument, type World } from "../world.ts";
import { type Service, startService, until } from "./service.ts";

const platform = inject("platform");
const reason = platform.ready ? "" : ` (skipped: ${platform.why})`;

type Status = StatusDocument["jobs"][number] & { readonly missed: number; readonly nextTake: string | null };

describe.skipIf(!platform.ready)(`a service over some jobs${reason}`, () => {
  let world: World;
  let service: Service;

  const start = (name: string, schedule: readonly string[]) =>
    world.json<StartDocument>(["run", "--name", name, "--keep", "all", "--cwd", world.cwd, ...schedule, "--", "sleep", "3600"]);
  const status = async (name: string): Promise<Status> =>
    (await world.json<{ jobs: readonly Status[] }>(["status", name])).jobs[0]!;
  const taken = (name: string, atLeast: number) =>
    until(`take ${atLeast} of ${name}`, () => service.count("took", name) >= atLeast);

  /** A take of the service's may be under way: then the answer is `busy` (11), and to try again. */
  const patiently = (words: readonly string[]) =>
    until(`done: ${words.join(" ")}`, async () => {
      const { status: said, stderr } = await world.run(words);
      if (said !== 0 && said !== 11) throw new Error(stderr);
      return said === 0;
    });

  beforeAll(async () => {
    world = await openWorld();
    service = await startService(world);
  });
  afterAll(async () => {
    await service.end("SIGKILL");
    await world.close();
  });

  test("a second one on the same vault is refused, and the first goes on", async () => {
    expect(await world.fault(["serve"])).toMatchObject({ status: 11, code: "service-running" });
    expect(await lives(service.pid)).toBe(true);
  });

  test("one on another vault runs beside it", async () => {
    const other = await openWorld();
    try {
      const beside = await startService(other);
      expect(await lives(service.pid)).toBe(true);
      expect(await beside.end("SIGTERM")).toBe(0);
    } finally {
      await other.close();
    }
  });

  test("a job that is started while it runs is taken at its interval, without a restart", async () => {
    await start("every", ["--every", "2s"]);
    await taken("every", 2);
    const { points } = await world.json<PointsDocument>(["points", "every"]);
    expect(points.slice(0, 2)).toMatchObject([
      { number: 1, kind: "base" },
      { number: 2, kind: "increment", parent: 1 },
    ]);
  });

  test("a job is taken by the calendar, seconds and zone included", async () => {
    // Kathmandu is never at the same hour and minute as any zone of whole or half hours.
    const zone = "Asia/Kathmandu";
    const hour = (at: number) => new Intl.DateTimeFormat("en", { hour: "numeric", hourCycle: "h23", timeZone: zone }).format(at);
    const hours = new Set([hour(Date.now()), hour(Date.now() + 300_000)]);
    const minutes = new Set([0, 1, 2, 3, 4, 5].map((after) => minuteIn(zone, Date.now() + after * 60_000)));
    await start("calendar", ["--cron", `*/2 ${[...minutes].join(",")} ${[...hours].join(",")} * * *`, "--zone", zone]);
    await taken("calendar", 1);
    const next = (await status("calendar")).nextTake ?? "";
    expect(new Date(next).getSeconds() % 2).toBe(0);
    expect([...minutes]).toContain(minuteIn(zone, Date.parse(next)));
  });

  test("stopped or retired, a job is taken no more, while the others are", async () => {
    await start("stopped", ["--every", "2s"]);
    await taken("stopped", 1);
    await patiently(["stop", "stopped", "--no-take"]);
    await patiently(["retire", "calendar", "--keep-points"]);
    const before = { stopped: service.count("took", "stopped"), calendar: service.count("took", "calendar") };
    const failures = () =>
      service.lines().filter(({ event, code }) => event === "take-failed" && code !== "not-running" && code !== "busy").length;
    const failed = failures();
    await taken("every", service.count("took", "every") + 2);
    expect({ stopped: service.count("took", "stopped"), calendar: service.count("took", "calendar") }).toEqual(before);
    expect(failures()).toBe(failed);
    expect((await status("calendar")).state).toBe("running");
  });

  test("what falls due while another dump of the job is at work is missed and counted, not doubled", async () => {
    const other = spawn("flock", [`${world.vault}/locks/every.lock`, "sh", "-c", "echo held; exec cat"], {
      stdio: ["pipe", "pipe", "ignore"],
    });
    await once(other.stdout, "data");
    const [missed, took] = [(await status("every")).missed, (await world.json<PointsDocument>(["points", "every"])).points.length];
    await until("a generation that is missed", async () => (await status("every")).missed > missed);
    expect((await world.json<PointsDocument>(["points", "every"])).points).toHaveLength(took);
    expect(await status("every")).toMatchObject({ state: "running", lastFault: null });
    const before = service.count("took", "every");
    other.stdin.end();
    await taken("every", before + 1);
  });

  test("after downtime there is one catch-up, and the others are counted as missed", async () => {
    await start("hourly", ["--every", "1h"]);
    await until("a due moment", async () => (await status("hourly")).nextTake !== null);
    expect(await service.end("SIGTERM")).toBe(0);
    const catalogue = new Database(world.env["HOLDFAST_CATALOGUE"]);
    const moved = catalogue.prepare("update dues set due = ? where job = 'hourly'").run(Date.now() - 5.5 * 3_600_000);
    catalogue.close();
    expect(moved.changes).toBe(1);
    service = await startService(world);
    await taken("hourly", 1);
    await taken("every", service.count("took", "every") + 1);
    expect(service.count("took", "hourly")).toBe(1);
    expect(await status("hourly")).toMatchObject({ missed: 5, newestPoint: 1 });
  });
});

function minuteIn(zone: string, at: number): number {
  return Number(new Intl.DateTimeFormat("en", { minute: "numeric", timeZone: zone }).format(at));
}
