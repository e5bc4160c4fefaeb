import { expect, test } from "vitest";
import { isWorthAnother, planPreDump, type PreDumpFacts } from "../../../src/domain/plan-pre-dump.ts";

const pages = (written: number) => ({ scanned: 100_000, written, skipped: 0, kept: written });
const round = (written: number) => ({ pages: written, freezeMicros: 1 });
const plan = (changes: Partial<PreDumpFacts>) =>
  planPreDump({
    setting: "auto",
    tracking: "soft-dirty",
    takesPages: false,
    last: { freezeMicros: 900_000, pages: pages(50_000) },
    ...changes,
  });

test("auto makes them where the last freeze was long and memory was much of it", () => {
  expect(plan({})).toEqual({ mode: "read", reason: "the last generation wrote 50000 pages" });
  expect(plan({ last: null }).mode).toBeNull();
  expect(plan({ last: { freezeMicros: 100_000, pages: pages(50_000) } }).mode).toBeNull();
  expect(plan({ last: { freezeMicros: 900_000, pages: pages(5000) } }).mode).toBeNull();
});

test("auto does not stop because they made the freeze short, and stops when there is little to write", () => {
  const made = { freezeMicros: 60_000, pages: pages(800) };
  expect(plan({ last: { ...made, preDumps: [round(49_000), round(900)] } }).mode).toBe("read");
  expect(plan({ last: { ...made, preDumps: [round(2000)] } }).mode).toBeNull();
});

test("without soft-dirty there are none, whatever is asked: CRIU would abort", () => {
  for (const setting of ["off", "auto", "read", "splice"] as const) expect(plan({ setting, tracking: "compare" }).mode).toBeNull();
});

test("while CRIU takes pages out of the parents there are none: it would take them out of grandparents", () => {
  for (const setting of ["auto", "read", "splice"] as const) expect(plan({ setting, takesPages: true }).mode).toBeNull();
});

test("a job that names a way gets it, from its first generation on; off is off", () => {
  expect(plan({ setting: "splice", last: null }).mode).toBe("splice");
  expect(plan({ setting: "read", last: null }).mode).toBe("read");
  expect(plan({ setting: "off" }).mode).toBeNull();
});

test("rounds go on while they get shorter, three at most", () => {
  expect(isWorthAnother([])).toBe(true);
  expect(isWorthAnother([round(50_000)])).toBe(true);
  expect(isWorthAnother([round(50_000), round(20_000)])).toBe(true);
  expect(isWorthAnother([round(50_000), round(20_000), round(8000)])).toBe(false);
  expect(isWorthAnother([round(50_000), round(45_000)])).toBe(false);
  expect(isWorthAnother([round(50_000), round(1000)])).toBe(false);
  expect(isWorthAnother([round(1000)])).toBe(false);
});
