import { open, readdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { goFast, type Outputs, readOutputs, undisturbed } from "../outputs.ts";
import { type Proof, proofs } from "../proof-programs.ts";
import { kill, openWorld, type PointsDocument, type RestoreDocument, type StartDocument, type World } from "../world.ts";
import { type Service, startService, until } from "./service.ts";

const platform = inject("platform");
const reason = platform.ready ? "" : ` (skipped: ${platform.why})`;
const rules = { HOLDFAST_RECOVER_DELAY: "1s", HOLDFAST_RECOVER_SETTLE: "20s", HOLDFAST_RECOVER_ATTEMPTS: "3" };
/** At a pace at which it is met in its middle. */
const proof: Proof = { ...proofs.single, command: (programs) => [`${programs}/single`, "40000", "5000"] };

type Status = {
  readonly state: string;
  readonly run: { readonly number: number; readonly from: number | null; readonly initPid: number; readonly ending: unknown };
  readonly recovery: {
    readonly plan: string;
    readonly text: string | null;
    readonly tries: readonly {
      readonly point: number;
      readonly outcome: string;
      readonly code: string | null;
      readonly lostSeconds: number;
    }[];
  };
};

describe.skipIf(!platform.ready)(`a service over jobs that vanish${reason}`, () => {
  const programs = platform.ready ? platform.programs : "";
  let world: World;
  let service: Service;
  let expected: Outputs;

  const start = (name: string, words: readonly string[], command: readonly string[]) =>
    world.json<StartDocument>(["run", "--name", name, "--cwd", world.cwd, "--keep", "all", ...words, "--", ...command]);
  const status = async (name: string): Promise<Status> =>
    (await world.json<{ jobs: readonly Status[] }>(["status", name], rules)).jobs[0]!;
  const points = async (name: string) => (await world.json<PointsDocument>(["points", name, "--all"])).points;
  const runs = (name: string, number: number) =>
    until(`run ${number} of ${name}`, async () => {
      const { run, state } = await status(name);
      return run.number === number && state === "running";
    });

  beforeAll(async () => {
    expected = await undisturbed(proof, programs, "");
    world = await openWorld();
    service = await startService({ ...world, env: { ...world.env, ...rules } });
  });
  afterAll(async () => {
    await service.end("SIGKILL");
    await world.close();
  });

  test("a job is brought back as often as it is killed, and its outputs have no gap and no line twice", async () => {
    const started = await start(
      "single",
      ["--every", "1s", "--on-crash", "restore", "--include", "closed.log"],
      proof.command(programs, ""),
    );
    await until("two points", () => service.count("took", "single") >= 2);
    await kill(started.initPid);
    await runs("single", 2);
    const first = await status("single");
    expect(first.recovery.tries).toMatchObject([{ outcome: "restored", point: first.run.from }]);
    // Seconds: one interval, one take, and the look that found it gone.
    expect(first.recovery.tries[0]!.lostSeconds).toBeLessThan(20);
    const taken = service.count("took", "single");
    await until("a point of the new timeline", () => service.count("took", "single") > taken);
    await kill((await status("single")).run.initPid);
    await runs("single", 3);
    await goFast(world.cwd);
    await until("an end", async () => (await status("single")).state !== "running");
    expect(await status("single")).toMatchObject({ state: "failed", run: { ending: { type: "exited", status: proof.status } } });
    expect(await readOutputs(proof, world.cwd, started.output)).toEqual(expected);
    expect(service.count("recovered", "single")).toBe(2);
  });

  test("a point whose images are damaged is passed over for the older one, and that is said", async () => {
    const { initPid } = await start("hurt", ["--every", "never", "--on-crash", "restore"], ["sleep", "3600"]);
    for (const _ of [1, 2]) await world.json(["take", "hurt"]);
    await damage(path.join(world.vault, "jobs/hurt/generations/2"));
    await kill(initPid);
    await runs("hurt", 2);
    const { run, recovery } = await status("hurt");
    expect(run.from).toBe(1);
    expect(recovery.tries).toMatchObject([
      { point: 1, outcome: "restored" },
      { point: 2, outcome: "failed", code: "point-damaged" },
    ]);
    expect((await points("hurt")).map(({ state }) => state)).toEqual(["sealed", "damaged"]);
    expect((await world.run(["status", "hurt"], rules)).stdout).toContain("point 2 of hurt is damaged");
  });

  test("a job that dies just after it came back: its points are tried one after another, then a person is asked", async () => {
    const program = "import os,sys,time\nwhile True:\n if os.path.exists('die'): sys.exit(3)\n time.sleep(.05)\n";
    const { initPid } = await start("frail", ["--every", "never", "--on-crash", "restore"], ["python3", "-c", program]);
    for (const _ of [1, 2]) await world.json(["take", "frail"]);
    await kill(initPid);
    await writeFile(path.join(world.cwd, "die"), "");
    await until("a person asked", async () => (await status("frail")).recovery.plan === "ask");
    expect((await points("frail")).map(({ state }) => state)).toEqual(["failed", "failed"]);
    const { recovery, state } = await status("frail");
    expect(state).toBe("failed");
    expect(recovery.tries.map(({ point, code }) => `${point} ${code}`)).toEqual([
      "1 died-again",
      "1 null",
      "2 died-again",
      "2 null",
    ]);
    expect(recovery.text).toMatch(/it waits for you \(frail died \d+s after it came back from point 1, with status 3\)/);
    expect(service.count("died-again", "frail")).toBe(2);
    // What the service gave up is there all the same.
    await rm(path.join(world.cwd, "die"));
    expect(await world.json<RestoreDocument>(["restore", "frail", "--point", "2"])).toMatchObject({ point: 2 });
    expect((await points("frail")).map(({ state: one }) => one)).toEqual(["failed", "sealed"]);
  });

  test("one whose owner wants to be asked is left alone, and status says what to type", async () => {
    const { initPid } = await start("asked", ["--every", "never", "--on-crash", "ask"], ["sleep", "3600"]);
    await world.json(["take", "asked"]);
    await kill(initPid);
    await until("its end in the log", () => service.count("run-ended", "asked") > 0);
    expect((await world.run(["status"], rules)).stdout).toContain(
      "asked: it waits for you (on-crash is ask): `holdfast restore asked`",
    );
    expect((await status("asked")).run.number).toBe(1);
  });
});

/** One byte in the middle of each file of pages. */
async function damage(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!/^pages-\d+\.img$/.test(name)) continue;
    const file = await open(path.join(folder, name), "r+");
    const { size } = await file.stat();
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, Math.floor(size / 2));
    await file.write(Buffer.from([byte[0]! ^ 0xff]), 0, 1, Math.floor(size / 2));
    await file.close();
  }
}
