import { expect, test } from "vitest";
import { inLab } from "./floor.ts";
import { allRight, crash, finish, moreSteps, type Restored, type Started, startPages, type Taken } from "./job.ts";
import type { Lab } from "./lab.ts";

const COUNT = 4;

type TakenSo = Taken & { readonly preDumps: readonly { readonly pages: number; readonly freezeMicros: number }[] };

/** The name of a CRIU that is run by its own loader, and nothing else's here. */
const criu = "ld-linux-x86-64";

for (const mode of ["read", "splice"] as const) {
  inLab(`pre-dumps of the kind ${mode}`, (lab) => {
    let started: Started;
    const takes: TakenSo[] = [];

    test("come before each dump, leave the job running, and no folder of theirs outlives the seal", async () => {
      started = await startPages(lab(), mode, `--pre-dump ${mode}`);
      for (let taken = 0; taken < COUNT; taken++) {
        await moreSteps(lab(), mode, 5);
        takes.push(await lab().json<TakenSo>(`take ${mode}`));
        expect(await leftovers(lab(), mode)).toBe("");
      }
      for (const { preDumps, freezeMicros, pages } of takes) {
        process.stderr.write(`${mode}: ${JSON.stringify({ preDumps, freezeMicros, ...pages })}\n`);
        expect(preDumps.length).toBeGreaterThan(0);
      }
      expect(takes.map((take) => take.parent)).toEqual([null, 1, 2, 3]);
      const [base, ...increments] = takes;
      for (const { pages } of increments) expect(pages.kept).toBeLessThan((base?.pages.kept ?? 0) / 2);
    });

    for (let point = 1; point <= COUNT; point++) {
      test(`brought back to point ${point}, one plain CRIU directory, it finds every page and every line right`, async () => {
        if (point === 1) await crash(lab(), started.initPid);
        const restored = await lab().json<Restored>(`restore ${mode} --point ${point}`);
        expect(restored).toMatchObject({ point, run: point + 1 });
        await moreSteps(lab(), mode, 3);
        expect(await finish(lab(), mode, restored.run)).toEqual(allRight);
      });
    }
  });
}

inLab("a pre-dump that is interrupted", (lab) => {
  test("follows a base and an increment", async () => {
    await startPages(lab(), "hurt", "--pre-dump read");
    for (const [point, kind] of [
      [1, "base"],
      [2, "increment"],
    ] as const) {
      await moreSteps(lab(), "hurt", 3);
      expect(await lab().json<TakenSo>("take hurt")).toMatchObject({ point, kind });
    }
  });

  test("whose CRIU is killed makes the same take a base, which says why", async () => {
    await moreSteps(lab(), "hurt", 3);
    const { status, said } = await interrupted(lab(), 3, `pkill -9 -x ${criu}`);
    expect({ status, said }).toMatchObject({ status: 0 });
    const taken = JSON.parse(said) as TakenSo;
    expect(taken).toMatchObject({ point: 3, kind: "base", parent: null, preDumps: [] });
    expect(taken.reason).toMatch(/^a pre-dump of generation 3 failed \(.+\), so the dirty bits are unknown$/);
    expect(await leftovers(lab(), "hurt")).toBe("");
    await moreSteps(lab(), "hurt", 3);
    expect(await lab().json<TakenSo>("take hurt")).toMatchObject({ point: 4, kind: "increment", parent: 3 });
  });

  test("whose command is killed leaves folders that the next take sweeps; that one is a base", async () => {
    await moreSteps(lab(), "hurt", 3);
    await interrupted(lab(), 5, "kill -9 $take");
    await moreSteps(lab(), "hurt", 3);
    const next = await lab().json<TakenSo>("take hurt");
    expect(next).toMatchObject({ point: 6, kind: "base", parent: null });
    expect(next.reason).toBe("the dump of generation 5 was begun and did not end well, so the dirty bits are unknown");
    expect(await leftovers(lab(), "hurt")).toBe("");
  });

  test("each point that is listed comes back and finds every page and every line right", async () => {
    let run = 0;
    for (const point of [6, 4, 3, 2, 1]) {
      const restored = await lab().json<Restored>(`restore hurt --point ${point} --replace --no-take`);
      run = restored.run;
      await moreSteps(lab(), "hurt", 2);
    }
    expect(await finish(lab(), "hurt", run)).toEqual(allRight);
  });
});

/**
 * Begins a take, does something to it as soon as its first pre-dump has begun to clear dirty bits, and waits until all has ended. CRIU is let go on
 * in small steps (nsenter stops itself when its child is stopped): by itself it would be done before it is met.
 */
async function interrupted(lab: Lab, number: number, act: string): Promise<{ readonly status: number; readonly said: string }> {
  const log = `/vault/holdfast/jobs/hurt/logs/pre-dump-${number}-1.log`;
  const { status, stdout, stderr } = await lab.run(
    `holdfast take hurt --json >/run/out 2>/run/err & take=$!
    until { pkill -STOP -x ${criu}; grep -q 'dirty tracking' ${log} 2>/dev/null; }; do
      kill -0 $take || { cat /run/out /run/err; exit 98; }
      pkill -CONT -x ${criu}; pkill -CONT -x nsenter; sleep 0.005
    done
    ${act}
    pkill -CONT -x ${criu}; pkill -CONT -x nsenter
    wait $take; status=$?
    while pgrep -x ${criu} >/dev/null; do sleep 0.1; done
    [ -s /run/out ] && cat /run/out || cat /run/err
    exit $status`,
    240,
  );
  if (status === 98 || status === 124)
    throw new Error(`the take ended before its first pre-dump, or not at all: ${stdout}${stderr}`);
  return { status, said: stdout };
}

/** All but numbered generations among the generations, and whatever is in the staging folder. */
async function leftovers(lab: Lab, job: string): Promise<string> {
  return lab.must(
    `ls -A /vault/holdfast/jobs/${job}/generations | grep -vE '^[0-9]+$'; ls -A /vault/holdfast/.staging 2>/dev/null; true`,
  );
}
