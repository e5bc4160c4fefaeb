import type { Generation, GenerationState } from "../../../src/domain/generation.ts";
import type { JobName } from "../../../src/domain/job.ts";

export const minute = 60_000;

/**
 * Generations of one job in the short writing of the tests: `B1 i2 i3 | B4 i5`. A letter after the number is the state (`x` damaged,
 * `f` failed, `e` expired, `c` consumed), `<n` another parent than the one before, `|` the next timeline (and run). Generation n was taken in minute n.
 */
export function chainOf(text: string): readonly Generation[] {
  const generations: Generation[] = [];
  let timeline = 1;
  for (const word of text.split(" ")) {
    if (word === "|") {
      timeline += 1;
      continue;
    }
    const parts = /^([Bi])(\d+)([xfec]?)(?:<(\d+))?$/.exec(word);
    if (!parts) throw new Error(`not a generation: ${word}`);
    const number = Number(parts[2]);
    const isBase = parts[1] === "B";
    const before = parts[4] === undefined ? (generations.at(-1)?.number ?? number - 1) : Number(parts[4]);
    generations.push(
      generation({ number, timeline, kind: isBase ? "base" : "increment", parent: isBase ? null : before, state: state(parts[3]) }),
    );
  }
  return generations;
}

function state(letter: string | undefined): GenerationState {
  if (letter === "x") return "damaged";
  if (letter === "f") return "failed";
  if (letter === "c") return "consumed";
  return letter === "e" ? "expired" : "sealed";
}

type Facts = Pick<Generation, "number" | "timeline" | "kind" | "parent" | "state">;

function generation(facts: Facts): Generation {
  return {
    job: "melt" as JobName,
    id: `id${facts.number}`,
    run: facts.timeline,
    takenAt: facts.number * minute,
    reason: "",
    tracking: "compare",
    bytes: 4096,
    freezeMicros: 1000,
    pages: { scanned: 1, written: 1, skipped: 0, kept: 1 },
    provenAt: null,
    provenMilliseconds: null,
    held: false,
    ...facts,
  };
}
