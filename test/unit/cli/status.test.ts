import { expect, test } from "vitest";
import { statusExit, statusJson, statusText } from "../../../src/cli/render/status.ts";
import type { JobStatus } from "../../../src/engine/queries.ts";
import { aGeneration, aJob, aRun } from "../../contract/catalogue-values.ts";

function aStatus(change: Partial<JobStatus> = {}): JobStatus {
  return {
    job: aJob("lj", { exposureLimit: 1_800_000 }),
    exposureLimit: 1_800_000,
    interval: null,
    state: "running",
    run: aRun(1),
    exposureSeconds: 300,
    exposureOver: false,
    newest: aGeneration("lj", 4),
    points: 4,
    bytes: 4096,
    damaged: [],
    lost: [],
    nextDue: null,
    lastFault: null,
    missed: 0,
    ...change,
  };
}

const over = aStatus({ exposureSeconds: 2700, exposureOver: true });
const damaged = aStatus({ damaged: [2], lost: [3] });
const red = (text: string): string => `RED ${text} DER`;
const text = (...rows: readonly JobStatus[]): readonly string[] => statusText(rows, "UTC", red).split("\n");

test("exposure is shown against its limit; without one, or when the job does not run, by itself", () => {
  expect(text(aStatus())[1]).toContain(" 5m of 30m ");
  expect(text(aStatus({ job: aJob("lj"), exposureLimit: null }))[1]).toMatch(/ 5m {2}/);
  expect(text(aStatus({ state: "stopped", exposureSeconds: null }))[1]).not.toContain("of 30m");
  expect(text(aStatus())).toHaveLength(2);
});

test("over the limit the whole line is red, in its column as ever, and a note says what to do", () => {
  const [head = "", first = "", second = "", note] = text(aStatus(), over);
  expect(first).not.toContain("RED");
  expect(second).toMatch(/^RED lj .* 45m of 30m .* DER$/);
  expect(second.indexOf("running")).toBe(head.indexOf("state") + "RED ".length);
  expect(note).toBe(
    "lj: more than 30m of work would be lost by a crash now; `holdfast take lj` takes a point, `systemctl status holdfast` tells whether the service does",
  );
});

test("damage is named, with what is lost with it and what to type", () => {
  expect(text(damaged)[2]).toBe(
    "lj: generation 2 is damaged, and generation 3 cannot be read without it; point 4 is the newest still offered (`holdfast restore lj`), `holdfast verify lj` reads all that are left back; `holdfast expire lj --damaged` gives up what nobody means to repair",
  );
  const nothing = aStatus({ damaged: [1, 2], newest: null, points: 0 });
  expect(text(nothing)[2]).toBe(
    "lj: generations 1, 2 are damaged; no point is left: `holdfast take lj` makes a base; `holdfast expire lj --damaged` gives up what nobody means to repair",
  );
  const many = aStatus({ damaged: Array.from({ length: 20 }, (_, at) => at + 1) });
  expect(text(many)[2]).toContain("generations 1, 2, 3, 4, 5, 6, 7, 8 and 12 more are damaged");
});

test("the exit status tells of damage before exposure, and of a retired job nothing", () => {
  expect(statusExit([aStatus()])).toBe(0);
  expect(statusExit([aStatus(), over])).toBe(3);
  expect(statusExit([over, damaged])).toBe(13);
  expect(statusExit([{ ...damaged, state: "retired" }])).toBe(0);
});

test("JSON has the limit in seconds, and what is damaged", () => {
  expect(statusJson(over)).toMatchObject({ exposureSeconds: 2700, exposureLimitSeconds: 1800, exposureOver: true, damaged: [] });
  expect(statusJson(aStatus({ job: aJob("lj"), exposureLimit: null }))).toMatchObject({
    exposureLimitSeconds: null,
    exposureOver: false,
  });
  expect(statusJson(damaged)).toMatchObject({ damaged: [2], lost: [3] });
});
