import fc from "fast-check";
import type { Generation } from "../../src/domain/generation.ts";
import type { Job, JobName } from "../../src/domain/job.ts";
import type { ProcessIdentity, Run } from "../../src/domain/run.ts";

/** Values a catalogue must keep: plain ones to write tests with, and generated ones. */

export function named(name: string): JobName {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- tests choose valid names
  return name as JobName;
}

export function aJob(name: string, change: Partial<Job> = {}): Job {
  return {
    name: named(name),
    createdAt: 1_790_000_000_000,
    origin: "launched",
    command: ["lmp", "-in", "in.lj"],
    cwd: "/home/ada/melt",
    env: { OMP_NUM_THREADS: "4" },
    user: "ada",
    limits: { nofile: "4096" },
    output: "/home/ada/melt/out.log",
    error: null,
    schedule: { type: "every", milliseconds: 600_000 },
    keep: "last=6, daily=7",
    maxChain: 24,
    dedup: "exact",
    preDump: "auto",
    onCrash: "ask",
    exposureLimit: null,
    files: { include: ["*.restart"], exclude: [], limitBytes: 1_073_741_824 },
    intent: "run",
    ...change,
  };
}

export function aProcess(pid: number): ProcessIdentity {
  return { pid, startTicks: 123_456, bootId: "7e0d6a2e-5b0f-4b8e-9d2c-0c1d2e3f4a5b" };
}

export function aRun(number: number, change: Partial<Run> = {}): Run {
  return {
    number,
    timeline: number,
    startedAt: 1_790_000_000_000 + number,
    from: null,
    init: aProcess(4000),
    root: aProcess(4001),
    rootVpid: 2,
    endedAt: null,
    ending: null,
    ...change,
  };
}

export function aGeneration(job: string, number: number, change: Partial<Generation> = {}): Generation {
  return {
    job: named(job),
    number,
    id: `id-${number}`,
    timeline: 1,
    run: 1,
    kind: "base",
    parent: null,
    takenAt: 1_790_000_000_000 + number,
    state: "sealed",
    reason: "the first of its run",
    tracking: "compare",
    bytes: 4096,
    freezeMicros: 52_000,
    pages: { scanned: 100, written: 90, skipped: 10, kept: 80 },
    provenAt: null,
    provenMilliseconds: null,
    held: false,
    ...change,
  };
}

const plain = { noNullPrototype: true };
const text = fc.string({ unit: "binary", maxLength: 20 });
const whole = fc.maxSafeNat();
const orNull = <T>(one: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(one, { nil: null });
const dictionary = fc.dictionary(fc.oneof(text, fc.constant("__proto__")), text, { maxKeys: 4, noNullPrototype: true });
const words = fc.array(text, { maxLength: 4 });

export const jobNames: fc.Arbitrary<JobName> = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$/).map(named);

export const jobs: fc.Arbitrary<Job> = fc.record(
  {
    name: jobNames,
    createdAt: whole,
    origin: fc.constantFrom("launched" as const, "adopted" as const),
    command: words,
    cwd: text,
    env: dictionary,
    user: orNull(text),
    limits: dictionary,
    output: orNull(text),
    error: orNull(text),
    schedule: orNull(
      fc.oneof(
        fc.record({ type: fc.constant("every" as const), milliseconds: whole }, plain),
        fc.record({ type: fc.constant("cron" as const), expression: text, zone: text }, plain),
        fc.record({ type: fc.constant("auto" as const) }, plain),
      ),
    ),
    keep: text,
    maxChain: whole,
    dedup: fc.constantFrom("exact" as const, "in-dump" as const),
    preDump: fc.constantFrom("off" as const, "auto" as const, "read" as const, "splice" as const),
    onCrash: fc.constantFrom("restore" as const, "ask" as const),
    exposureLimit: orNull(fc.oneof(whole, fc.constant("auto" as const))),
    files: fc.record({ include: words, exclude: words, limitBytes: whole }, plain),
    intent: fc.constantFrom("run" as const, "stopped" as const, "retired" as const),
  },
  plain,
);

const identities: fc.Arbitrary<ProcessIdentity> = fc.record({ pid: whole, startTicks: whole, bootId: text }, plain);

export const runs: fc.Arbitrary<Run> = fc.record(
  {
    number: whole,
    timeline: whole,
    startedAt: whole,
    from: orNull(whole),
    init: orNull(identities),
    root: identities,
    rootVpid: whole,
    endedAt: orNull(whole),
    ending: orNull(
      fc.oneof(
        fc.record({ type: fc.constant("exited" as const), status: fc.nat(255) }, plain),
        fc.record({ type: fc.constant("signaled" as const), signal: fc.nat(64) }, plain),
      ),
    ),
  },
  plain,
);

export const generations: fc.Arbitrary<Generation> = fc
  .record(
    {
      job: jobNames,
      number: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
      id: text,
      timeline: whole,
      run: whole,
      stands: orNull(whole),
      takenAt: whole,
      state: fc.constantFrom("sealed" as const, "damaged" as const, "failed" as const, "expired" as const, "consumed" as const),
      reason: text,
      tracking: fc.constantFrom("soft-dirty" as const, "compare" as const),
      bytes: whole,
      freezeMicros: whole,
      pages: fc.record({ scanned: whole, written: whole, skipped: whole, kept: whole }, plain),
      provenAt: orNull(whole),
      provenMilliseconds: orNull(whole),
      held: fc.boolean(),
    },
    plain,
  )
  .map(({ stands, ...rest }) => {
    const parent = stands === null ? null : stands % rest.number;
    return { ...rest, parent, kind: parent === null ? "base" : "increment" };
  });
