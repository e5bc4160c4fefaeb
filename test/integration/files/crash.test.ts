import { randomBytes } from "node:crypto";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Capture } from "../../../src/domain/captured.ts";
import { planPutBack, type PutBackPlan } from "../../../src/host/files/put-back-plan.ts";
import { stepsOf, type Step } from "../../../src/host/files/put-back.ts";
import { openUndoFolder } from "../../../src/host/files/undo-list.ts";
import { Scene, snapshot } from "./scene.ts";

/** What becomes of one file between the freeze and the restore. */
type Fate =
  | "same"
  | "grown"
  | "rewritten"
  | "same-size"
  | "cut"
  | "gone"
  | "chmod"
  | "touched"
  | "linked"
  | "emptied"
  | "folder-gone";
type State = { readonly kind: "log" | "out" | "temporary"; readonly size: number; readonly mode: number; readonly fate: Fate };

const anyState: fc.Arbitrary<State> = fc
  .record({
    kind: fc.constantFrom("log" as const, "out" as const, "temporary" as const),
    size: fc.oneof(fc.constantFrom(0, 1, 65_535, 65_536, 65_537), fc.integer({ min: 0, max: 140_000 })),
    mode: fc.constantFrom(...(process.getuid?.() === 0 ? [0o600, 0o444, 0o2755] : [0o600, 0o644])),
    fate: fc.constantFrom<Fate>(
      "same",
      "grown",
      "rewritten",
      "same-size",
      "cut",
      "gone",
      "chmod",
      "touched",
      "linked",
      "emptied",
      "folder-gone",
    ),
  })
  // A file kept by its length alone can only come back if it has grown.
  .map((state) =>
    state.kind !== "log" || ["grown", "chmod", "touched", "linked"].includes(state.fate)
      ? state
      : { ...state, fate: "grown" as const },
  );

function pathOf(scene: Scene, state: State, at: number): string {
  return state.kind === "temporary" ? join(scene.temporary, `d${at % 2}`, "deep", `f${at}`) : join(scene.work, `f${at}`);
}

function meet(path: string, { fate, size }: State): void {
  if (!existsSync(path)) return;
  if (fate === "grown") appendFileSync(path, randomBytes(700));
  if (fate === "rewritten") writeFileSync(path, randomBytes(size + 3));
  if (fate === "same-size") writeFileSync(path, randomBytes(size));
  if (fate === "cut") truncateSync(path, Math.floor(size / 2));
  if (fate === "emptied") truncateSync(path, 0);
  if (fate === "gone") rmSync(path);
  if (fate === "chmod") chmodSync(path, 0o606);
  if (fate === "touched") utimesSync(path, 1_000_000, 1_000_000);
  if (fate === "linked") {
    linkSync(path, `${path}.link`);
    appendFileSync(path, "through one of two names");
  }
  if (fate === "folder-gone") {
    if (path.includes("/deep/")) rmSync(dirname(dirname(path)), { recursive: true });
    else rmSync(path);
  }
}

/** A scene frozen with these files, and then moved on. */
async function movedOn(states: readonly State[]): Promise<{ scene: Scene; capture: Capture; atFreeze: string[] }> {
  const scene = new Scene();
  const paths = states.map((state, at) => pathOf(scene, state, at));
  states.forEach((state, at) => {
    const path = paths[at] ?? "";
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, randomBytes(state.size));
    scene.open(path, state.kind === "log" ? "a" : "r+");
    chmodSync(path, state.mode);
  });
  const { capture } = await scene.captured();
  const atFreeze = paths.map((path) => JSON.stringify(snapshot(path)));
  scene.close();
  states.forEach((state, at) => meet(paths[at] ?? "", state));
  return { scene, capture, atFreeze };
}

/** What a step cut off in its middle could leave on the disk. */
function half(step: Step | undefined, plan: PutBackPlan): void {
  const entry = plan.undo.files.find(({ path }) => step?.what.endsWith(` ${path}`));
  if (step === undefined || entry === undefined) return;
  if (step.what.startsWith("write beside")) writeFileSync(join(dirname(entry.path), entry.temporary), "half of it");
  if (step.what.startsWith("write over")) writeFileSync(entry.path, "half of it");
  if (step.what.startsWith("cut")) truncateSync(entry.path, entry.savedFrom);
  if (step.what.startsWith("set attributes")) chmodSync(entry.path, 0o611);
}

const places = ({ work, temporary }: Scene): Record<string, string>[] => [snapshot(work), snapshot(temporary)];

test(
  "a put-back that was cut off anywhere is undone to the bit, times of files and folders included",
  { timeout: 120_000 },
  async () => {
    const cases = fc.record({
      states: fc.array(anyState, { minLength: 1, maxLength: 5 }),
      cutOff: fc.double({ min: 0, max: 1, noNaN: true }),
      isHalf: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(cases, async ({ states, cutOff, isHalf }) => {
        const { scene, capture } = await movedOn(states);
        try {
          const before = places(scene);
          await openUndoFolder(scene.undoFolder);
          const plan = await planPutBack(capture, scene.generation, "token");
          const steps = stepsOf(plan, scene.generation, scene.undoFolder);
          const done = Math.round(cutOff * steps.length);
          for (const step of steps.slice(0, done)) await step.run();
          if (isHalf) half(steps[done], plan);
          await scene.files.undo(scene.undoFolder);
          expect(places(scene)).toEqual(before);
          await scene.files.undo(scene.undoFolder);
          expect(places(scene)).toEqual(before);
        } finally {
          scene.remove();
        }
      }),
      { numRuns: 60 },
    );
  },
);

test("every step of one put-back with all kinds of change can be the last one", { timeout: 120_000 }, async () => {
  const common = { size: 70_000, mode: 0o640 };
  const states: State[] = [
    { ...common, kind: "log", fate: "grown" },
    { ...common, kind: "out", fate: "rewritten" },
    { ...common, kind: "temporary", fate: "folder-gone" },
    { ...common, kind: "out", fate: "linked" },
    { ...common, kind: "out", fate: "chmod" },
  ];
  for (let done = 0; ; done++) {
    const { scene, capture } = await movedOn(states);
    try {
      const before = places(scene);
      await openUndoFolder(scene.undoFolder);
      const steps = stepsOf(await planPutBack(capture, scene.generation, "token"), scene.generation, scene.undoFolder);
      for (const step of steps.slice(0, done)) await step.run();
      await scene.files.undo(scene.undoFolder);
      expect(places(scene), `after ${done} steps`).toEqual(before);
      if (done > steps.length) break;
    } finally {
      scene.remove();
    }
  }
});

test(
  "whatever became of them, all captured files come back as they were; a second put-back finds nothing to do",
  { timeout: 120_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyState, { minLength: 1, maxLength: 5 }), async (states) => {
        const { scene, capture, atFreeze } = await movedOn(states);
        try {
          await scene.files.preflight(capture, 1, scene.generation);
          await scene.files.putBack(capture, scene.generation, scene.undoFolder);
          expect(states.map((state, at) => JSON.stringify(snapshot(pathOf(scene, state, at))))).toEqual(atFreeze);
          const again = await scene.files.putBack(capture, scene.generation, join(scene.base, "undo-2"));
          expect(again.files.every(({ done }) => done === "unchanged")).toBe(true);
        } finally {
          scene.remove();
        }
      }),
      { numRuns: 40 },
    );
  },
);
