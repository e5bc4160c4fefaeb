import { randomInt } from "node:crypto";
import { expect, test } from "vitest";
import { inLab } from "./floor.ts";
import { allRight, finish, moreSteps, pages, type Restored, startJob, workOf } from "./job.ts";
import type { Lab } from "./lab.ts";

/** `HOLDFAST_TEST_CUTS=50` for the long run, `HOLDFAST_TEST_SEED=...` to see a failure again. */
const cuts = Number(process.env["HOLDFAST_TEST_CUTS"] ?? "2");
const seed = Number(process.env["HOLDFAST_TEST_SEED"] ?? randomInt(2 ** 31));
/** Seconds between generations, and at the latest from the moment the job was seen to run to the cut. A take alone is some seconds in here. */
const [interval, longest] = [8, 30];
/** Beginning a thread of the service's takes seconds under emulation, and a tick comes when it can. */
const lateness = 15_000;

type Status = {
  readonly jobs: readonly {
    readonly state: string;
    readonly run: { readonly number: number; readonly startedAt: string; readonly from: number | null } | null;
  }[];
};
type Points = { readonly points: readonly { readonly number: number; readonly time: string; readonly run: number }[] };
type Took = { readonly event: string; readonly milliseconds?: number; readonly point?: number };

/** Park and Miller's: the moments of the cuts, the same for the same seed. */
function* random(from: number): Generator<number, never> {
  for (let state = (from % 2_147_483_646) + 1; ;) {
    state = (state * 48_271) % 2_147_483_647;
    yield state / 2_147_483_647;
  }
}

const log = `${workOf("cuts")}/log`;
const startService = (lab: Lab) => lab.must("setsid holdfast serve >>/work/serve.log 2>&1 </dev/null & sleep 1");

async function runBefore(lab: Lab, number: number): Promise<{ readonly number: number; readonly startedAt: number }> {
  const text = await lab.must(`cat /vault/holdfast/jobs/cuts/runs/${number}/run.json`);
  return (JSON.parse(text) as { run: { number: number; startedAt: number } }).run;
}

/** What the service wrote; a line that the power cut in two is left out. */
async function serviceLog(lab: Lab): Promise<readonly Took[]> {
  const text = await lab.must("cat /work/serve.log");
  return text.split("\n").flatMap((line) => {
    try {
      return [JSON.parse(line) as Took];
    } catch {
      return [];
    }
  });
}

inLab(`${cuts} power cuts at moments from seed ${seed}`, (lab) => {
  test(
    "after each the job runs again by itself; memory right, no line lost or doubled, exposure within an interval and a dump",
    async () => {
      const moments = random(seed);
      await lab().must(`sed -i '/\\[vault\\]/i zone = "UTC"' /etc/holdfast/holdfast.toml`);
      await startService(lab());
      await startJob(lab(), "cuts", `${pages} run log 500000`, `--every ${interval}s --keep last=6 --on-crash restore`);
      // Before the first point there is nothing to come back from.
      await lab().must(
        "for i in $(seq 1200); do ls /vault/holdfast/jobs/cuts/generations/*/holdfast.json && exit 0; sleep 0.2; done; exit 1",
        300,
      );
      const lost: number[] = [];
      for (let cut = 1; cut <= cuts; cut++) {
        await moreSteps(lab(), "cuts", 2);
        const until = Math.round(moments.next().value * longest * 1000);
        const clock = await lab().must(`sleep ${until / 1000}; date +%s; wc -l <${log}`, longest + 60);
        const [seconds = 0, steps = 0] = clock.trim().split("\n").map(Number);
        const at = seconds * 1000;
        await lab().powerCut();

        await lab().boot();
        // Nobody types anything: the service starts with the machine, and all that follows is its own doing.
        await startService(lab());
        await moreSteps(lab(), "cuts", 2, "log", 600).catch(async (error: unknown) => {
          throw new Error(`cut ${cut}: the service said\n${await lab().must("tail -c 6000 /work/serve.log")}`, { cause: error });
        });
        const { stdout, status } = await lab().run(`${pages} verify ${log}; tr -dc '\\000' <${log} | wc -c`);
        expect({ cut, status, said: stdout.trim().split("\n").at(-1) }).toEqual({ cut, status: 0, said: "0" });
        const [job] = (await lab().json<Status>("status cuts")).jobs;
        expect(job?.state).toBe("running");
        const { points } = await lab().json<Points>("points cuts");
        const from = points.find(({ number }) => number === job?.run?.from);
        const takes = (await serviceLog(lab())).flatMap(({ event, milliseconds }) => (event === "took" ? [milliseconds ?? 0] : []));
        const before = await runBefore(lab(), (job?.run?.number ?? 0) - 1);
        // The work of a run that had just come back was at risk from its beginning on.
        const exposure = at - (from?.run === before.number ? Date.parse(from.time) : before.startedAt);
        lost.push(exposure);
        process.stderr.write(
          `cut ${cut} after ${until} ms at step ${steps}: back from point ${from?.number}, lost ${exposure} ms\n`,
        );
        expect(exposure, `cut ${cut}: seed ${seed}`).toBeLessThan(interval * 1000 + Math.max(...takes) + lateness);
      }
      process.stderr.write(`lost at most ${Math.max(...lost)} ms\n`);
    },
    600_000 + cuts * 900_000,
  );

  test("every point that is listed comes back and checks itself", async () => {
    await lab().must("pkill -TERM -f daemon/main; while pgrep -f daemon/main; do sleep 0.5; done; holdfast verify cuts", 400);
    const { points } = await lab().json<Points>("points cuts");
    expect(points.length).toBeGreaterThan(1);
    let run = 0;
    for (const { number } of points.toReversed()) {
      const restored = await lab().json<Restored>(`restore cuts --point ${number} --replace --no-take`);
      expect(restored.point).toBe(number);
      run = restored.run;
      await moreSteps(lab(), "cuts", 1, "log", 300);
    }
    expect(await finish(lab(), "cuts", run)).toEqual(allRight);
  });
});
