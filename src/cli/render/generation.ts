import { formatSize } from "../../domain/size.ts";
import type { Generation } from "../../domain/generation.ts";
import { formatTime, isoTime } from "../../domain/time.ts";

/** The keys of a point in JSON; a promise (`docs/reference/json.md`). */
export function generationJson(generation: Generation, directory: string): Record<string, unknown> {
  const {
    number,
    timeline,
    run,
    kind,
    parent,
    takenAt,
    state,
    bytes,
    freezeMicros,
    reason,
    tracking,
    pages,
    provenAt,
    provenMilliseconds,
    held,
    id,
    unpackedBytes,
  } = generation;
  return {
    number,
    timeline,
    run,
    kind,
    parent,
    time: isoTime(takenAt),
    state,
    bytes,
    unpackedBytes: unpackedBytes ?? null,
    freezeMicros,
    reason,
    tracking,
    pages,
    provenAt: provenAt === null ? null : isoTime(provenAt),
    provenSeconds: provenMilliseconds === null ? null : provenMilliseconds / 1000,
    held,
    id,
    directory,
  };
}

export const generationHead = ["point", "taken", "kind", "on", "timeline", "size", "freeze", "state", "why"] as const;

export function generationRow(generation: Generation, zone: string): readonly string[] {
  return [
    String(generation.number),
    formatTime(generation.takenAt, zone),
    generation.kind,
    generation.parent === null ? "-" : String(generation.parent),
    String(generation.timeline),
    formatSize(generation.bytes),
    formatMicros(generation.freezeMicros),
    stateText(generation),
    generation.reason,
  ];
}

/** The state, with what else is to be known of it at a glance. */
export function stateText({ state, provenAt, unpackedBytes }: Generation): string {
  return [state, ...(provenAt === null ? [] : ["proven"]), ...(unpackedBytes === undefined ? [] : ["packed"])].join(", ");
}

export function formatMicros(micros: number): string {
  return micros < 1_000_000 ? `${Math.round(micros / 1000)} ms` : `${(micros / 1_000_000).toFixed(1)} s`;
}
