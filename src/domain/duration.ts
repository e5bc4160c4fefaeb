import { Fault } from "../faults/fault.ts";

const units = { w: 604_800_000, d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000, ms: 1 } as const;
const shape = /^(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d{1,3})?)s)?(?:(\d+)ms)?$/;

/**
 * `90s`, `10m`, `1h30m`, `2d`, `1w`, `250ms`; larger units first, each at most once, no spaces, no bare numbers. Only seconds
 * may have a fraction. Gives whole milliseconds. Fault: `duration-invalid`.
 */
export function parseDuration(text: string): number {
  const parts = shape.exec(text);
  if (!parts || text === "") throw Fault.of("duration-invalid", { text: JSON.stringify(text) });
  const sum = Object.values(units).reduce((total, unit, at) => total + Number(parts[at + 1] ?? 0) * unit, 0);
  if (!Number.isSafeInteger(Math.round(sum))) throw Fault.of("duration-invalid", { text: JSON.stringify(text) });
  return Math.round(sum);
}

/** The shortest text that {@link parseDuration} reads back as the same number; takes whole milliseconds from 0. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds < 1_000) return milliseconds === 0 ? "0s" : `${milliseconds}ms`;
  let text = "";
  let rest = milliseconds;
  // Days, not weeks: `10d` is read more easily than `1w3d`.
  for (const unit of ["d", "h", "m"] as const) {
    const count = Math.floor(rest / units[unit]);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * units[unit];
  }
  return rest === 0 ? text : `${text}${rest / 1_000}s`;
}
