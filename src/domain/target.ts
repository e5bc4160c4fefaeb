import { Fault } from "../faults/fault.ts";
import type { Generation } from "./generation.ts";
import { isoTime } from "./time.ts";

/** What the user asks to go back to; `timeline`: among that timeline's points only. `at`: milliseconds since the epoch. */
export type Target = { readonly timeline?: number } & (
  | { readonly type: "latest" }
  | { readonly type: "time"; readonly at: number }
  | { readonly type: "point"; readonly number: number }
);

/**
 * The point that is meant, out of the restore points there are (in any order).
 *
 * `latest` is the highest number: the newest generation of the newest life of the job, on whatever timeline that is. `time` is the point
 * whose freeze was the last at or before that moment; where a step of the clock gave two points one moment, the higher number.
 * Faults: `no-points`, `timeline-unknown`, `point-unknown`, `no-point-before`.
 */
export function chooseTarget(points: readonly Generation[], target: Target, job: string = points[0]?.job ?? "NAME"): Generation {
  if (points.length === 0) throw Fault.of("no-points", { job });
  const { timeline } = target;
  const offered = points.filter((point) => timeline === undefined || point.timeline === timeline);
  if (timeline !== undefined && offered.length === 0) throw Fault.of("timeline-unknown", { job, timeline });
  const found = find(offered, target);
  if (found) return found;
  if (target.type === "time") throw Fault.of("no-point-before", { job, time: isoTime(target.at) });
  throw Fault.of("point-unknown", { job, point: target.type === "point" ? target.number : "latest" });
}

function find(points: readonly Generation[], target: Target): Generation | undefined {
  const byNumber = points.toSorted((a, b) => a.number - b.number);
  switch (target.type) {
    case "latest":
      return byNumber.at(-1);
    case "point":
      return points.find((point) => point.number === target.number);
    case "time":
      return byNumber
        .filter((point) => point.takenAt <= target.at)
        .toSorted((a, b) => a.takenAt - b.takenAt)
        .at(-1);
  }
}
