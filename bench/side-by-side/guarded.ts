import { allRight, crash, finish, type Restored, type Started, type Taken, workOf } from "../../test/lab/job.ts";
import type { Lab } from "../../test/lab/lab.ts";
import { bringBack, bytesOf, command, goTo, notBack, prepareJob, upTo } from "./program.ts";
import type { Manner } from "./table.ts";

/** The job of which everything is kept. */
export const all = "all";

type Listed = { readonly points: readonly { readonly number: number }[] };

const generationsOf = (job: string) => `/vault/holdfast/jobs/${job}/generations`;

/** As long a chain as CRIU's own, so that both have one base. */
const start = (job: string, keep: string, options: string) =>
  `run --name ${job} --cwd ${workOf(job)} --every never --keep ${keep} --max-chain 1000 ${options} -- ${command}`;

/** Holdfast with everything kept. Each point is brought back by CRIU alone, from where it lies in the vault (promise L7). */
export async function keepAll(lab: Lab, count: number): Promise<Manner> {
  await prepareJob(lab, all);
  const started = await lab.json<Started>(start(all, "all", `--output ${workOf(all)}/out`));
  for (const n of upTo(count)) {
    await goTo(lab, all, n);
    await take(lab, all, n);
  }
  await crash(lab, started.initPid);
  await lab.must(`mv ${workOf(all)}/log ${workOf(all)}/log.whole`);
  const bytes = await bytesOf(lab, generationsOf(all));
  const name = "Holdfast, everything kept";
  const back = await notBack(name, upTo(count), async (n) => {
    const folder = `${generationsOf(all)}/${n}`;
    const manifest = JSON.parse(await lab.must(`cat ${folder}/holdfast.json`)) as { restoreOptions: readonly string[] };
    return bringBack(lab, all, folder, n, manifest.restoreOptions.join(" "));
  });
  return { name, bytes, points: count, back };
}

/** Of forty generations half an hour apart it keeps ten. */
const POLICY = "last=4,hourly=9,daily=3";

/** The machine's clock at the first generation, and the time from one to the next. The date is that of no test or certificate. */
const [FIRST, APART] = [Date.parse("2030-03-04T08:10:00Z"), 30 * 60_000];

/** Holdfast under a policy, half an hour by the machine's clock from take to take, expiring after every fifth; then each kept point brought back. */
export async function underPolicy(lab: Lab, count: number): Promise<Manner> {
  const job = "policy";
  await prepareJob(lab, job);
  await lab.must(`date -s @${FIRST / 1000}`);
  const started = await lab.json<Started>(start(job, POLICY, ""));
  for (const n of upTo(count)) {
    await goTo(lab, job, n);
    await lab.must(`date -s @${(FIRST + n * APART) / 1000}`);
    await take(lab, job, n);
    if (n % 5 === 0 || n === count) await lab.json(`expire ${job}`);
  }
  await crash(lab, started.initPid);
  const bytes = await bytesOf(lab, generationsOf(job));
  const { points } = await lab.json<Listed>(`points ${job}`);
  const kept = points.map((point) => point.number);
  const name = `Holdfast under \`${POLICY}\`, half an hour apart`;
  process.stderr.write(`${name}: keeps ${kept.join(" ")}\n`);
  const back = await notBack(name, kept, async (n) => {
    const { run } = await lab.json<Restored>(`restore ${job} --point ${n}`);
    const ended = await finish(lab, job, run);
    return JSON.stringify(ended) === JSON.stringify(allRight) ? null : JSON.stringify(ended);
  });
  return { name, bytes, points: kept.length, back };
}

/** Takes generation `n`, which must stand on the one before. */
async function take(lab: Lab, job: string, n: number): Promise<void> {
  const taken = await lab.json<Taken>(`take ${job}`);
  const kind = n === 1 ? "base" : "increment";
  if (taken.point !== n || taken.kind !== kind) throw new Error(`${job}: ${n} should be ${kind}: ${JSON.stringify(taken)}`);
}
