import type { Generation } from "../../src/domain/generation.ts";
import type { Job, JobName } from "../../src/domain/job.ts";
import { restorePoints } from "../../src/domain/restorable.ts";
import type { Run } from "../../src/domain/run.ts";
import type { Attempt, Catalogue, CatalogueContent, Due, Lease, Recovery } from "../../src/engine/ports.ts";
import { Fault } from "../../src/faults/fault.ts";

/**
 * The catalogue in memory, for the engine's unit tests. The contract suite runs against it and the real one alike, so what it
 * answers is what SQLite answers. Values are copied in and out; numbers must be whole, as STRICT tables want them.
 */
export function fakeCatalogue(): Catalogue {
  const jobs = new Map<JobName, Kept>();
  const leases = new Map<string, Lease>();
  const wanted = new Set<string>();
  let asked = 0;

  function keptOf(name: JobName): Kept {
    const kept = jobs.get(name);
    if (!kept) throw Fault.of("job-unknown", { job: name });
    return kept;
  }

  function fill(content: CatalogueContent): void {
    jobs.clear();
    for (const job of content.jobs) jobs.set(job.name, emptyFor(job));
    for (const { job, run } of content.runs) keptOf(job).runs.set(run.number, stored(run));
    for (const generation of content.generations) keptOf(generation.job).generations.set(generation.number, stored(generation));
  }

  return {
    // It tells nothing apart: whoever asks has to look each time.
    changes: async () => String((asked += 1)),
    jobs: async () =>
      [...jobs.values()]
        .map((kept) => structuredClone(kept.job))
        .toSorted((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name))),
    job: async (name) => structuredClone(jobs.get(name)?.job ?? null),
    async putJob(job) {
      jobs.set(job.name, { ...(jobs.get(job.name) ?? emptyFor(job)), job: stored(job) });
    },
    async removeJob(name) {
      jobs.delete(name);
    },

    runs: async (name) => byNumber(jobs.get(name)?.runs),
    newestRun: async (name) => byNumber(jobs.get(name)?.runs).at(-1) ?? null,
    async putRun(name, run) {
      keptOf(name).runs.set(run.number, stored(run));
    },

    generations: async (name) => byNumber(jobs.get(name)?.generations),
    unexpired: async (name) => byNumber(jobs.get(name)?.generations).filter(({ state }) => state !== "expired"),
    generation: async (name, number) => structuredClone(jobs.get(name)?.generations.get(number) ?? null),
    newestByRows: async (name) => restorePoints(byNumber(jobs.get(name)?.generations)).at(-1) ?? null,
    async putGeneration(generation) {
      keptOf(generation.job).generations.set(generation.number, stored(generation));
    },
    async removeGeneration(name, number) {
      jobs.get(name)?.generations.delete(number);
    },
    async markGeneration(name, number, mark) {
      const generations = jobs.get(name)?.generations;
      const before = generations?.get(number);
      if (before) generations?.set(number, { ...before, ...stored(mark) });
    },

    attempts: async (name, limit) => structuredClone(jobs.get(name)?.attempts.slice(0, limit) ?? []),
    async attemptsInAll(name) {
      const attempts = jobs.get(name)?.attempts ?? [];
      const missed = attempts.reduce((sum, { outcome, count }) => sum + (outcome === "missed" ? count : 0), 0);
      return { newestMade: structuredClone(attempts.find(({ outcome }) => outcome !== "missed") ?? null), missed };
    },
    async putAttempt(attempt) {
      const kept = keptOf(attempt.job);
      kept.attempts = [stored(attempt), ...kept.attempts].toSorted((a, b) => b.at - a.at).slice(0, 1000);
    },

    recoveries: async (name, limit) => structuredClone(jobs.get(name)?.recoveries.slice(0, limit) ?? []),
    async putRecovery(recovery) {
      const kept = keptOf(recovery.job);
      kept.recoveries = [stored(recovery), ...kept.recoveries].toSorted((a, b) => b.at - a.at);
    },

    async dues() {
      const dues = [...jobs.values()].flatMap((kept) => (kept.due ? [structuredClone(kept.due)] : []));
      return dues.toSorted((a, b) => a.due - b.due || (a.job < b.job ? -1 : 1));
    },
    async putDue({ interval, ...due }) {
      const kept = keptOf(due.job);
      kept.due = stored({ ...due, interval: interval === undefined ? (kept.due?.interval ?? null) : interval });
    },

    async acquireLease(lease, now, isAlive) {
      const holder = leases.get(lease.name) ?? null;
      if (holder && holder.expiresAt > now && isAlive(holder.owner)) {
        wanted.add(holder.token);
        return { granted: false, holder: structuredClone(holder) };
      }
      leases.set(lease.name, stored(lease));
      return { granted: true, tookOver: structuredClone(holder) };
    },
    async renewLease(name, token, expiresAt) {
      const lease = leases.get(name);
      if (lease?.token !== token) return false;
      leases.set(name, stored({ ...lease, expiresAt }));
      return true;
    },
    leaseWanted: async (name, token) => leases.get(name)?.token === token && wanted.has(token),
    async releaseLease(name, token) {
      if (leases.get(name)?.token === token) leases.delete(name);
    },

    async replaceAll(content) {
      const before = new Map(jobs);
      try {
        fill(content);
      } catch (error) {
        jobs.clear();
        for (const [name, kept] of before) jobs.set(name, kept);
        throw error;
      }
    },
    async close() {},
  };
}

type Kept = {
  readonly job: Job;
  readonly runs: Map<number, Run>;
  readonly generations: Map<number, Generation>;
  attempts: readonly Attempt[];
  recoveries: readonly Recovery[];
  due: Due | null;
};

function emptyFor(job: Job): Kept {
  return { job: stored(job), runs: new Map(), generations: new Map(), attempts: [], recoveries: [], due: null };
}

function byNumber<T extends { readonly number: number }>(all: Map<number, T> | undefined): T[] {
  return [...(all?.values() ?? [])].map((one) => structuredClone(one)).toSorted((a, b) => a.number - b.number);
}

function stored<T>(value: T): T {
  refuseFractions(value);
  return structuredClone(value);
}

function refuseFractions(value: unknown): void {
  if (typeof value === "number" && !Number.isSafeInteger(value)) throw new TypeError(`${value} is no whole number`);
  if (typeof value === "object" && value !== null) Object.values(value).forEach(refuseFractions);
}
