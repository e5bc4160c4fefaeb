import { formatSize } from "../../domain/size.ts";
import type { Generation } from "../../domain/generation.ts";
import type { Run } from "../../domain/run.ts";
import { formatTime } from "../../domain/time.ts";

/** Timelines, the chains on them, and the generations of each chain, oldest first. */
export function tree(generations: readonly Generation[], runs: readonly Run[], zone: string): string {
  const lines: string[] = [];
  for (const timeline of new Set(generations.map((one) => one.timeline))) {
    const run = runs.find((one) => one.timeline === timeline);
    lines.push(`timeline ${timeline}${run && run.from !== null ? `, from point ${run.from}` : ""}`);
    const own = generations.filter((one) => one.timeline === timeline);
    for (const one of own) {
      const last = !own.some((other) => other.parent === one.number);
      const stem = one.kind === "base" ? "  " : last ? "  └─" : "  ├─";
      lines.push(`${stem}${one.kind === "base" ? "B" : " i"}${one.number}  ${describe(one, zone)}`);
    }
  }
  return lines.join("\n");
}

function describe(one: Generation, zone: string): string {
  const marks = [one.state === "sealed" ? "" : one.state, one.held ? "held" : "", one.provenAt === null ? "" : "proven"].filter(
    Boolean,
  );
  return [formatTime(one.takenAt, zone), formatSize(one.bytes), ...marks].join("  ");
}
