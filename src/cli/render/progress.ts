import { formatSize } from "../../domain/size.ts";
import type { EngineEvent } from "../../engine/ports.ts";
import { Pace } from "./pace.ts";

const redrawMilliseconds = 100;

/** One line on standard error that is written over; nothing at all when that is not a terminal. */
export class Progress {
  readonly #on: boolean;
  readonly #now: () => number;
  #phase = "";
  #shown = false;
  #drawnAt = -Infinity;
  #work = "";
  #pace = new Pace();

  /** `now`: milliseconds on a clock that never goes back. */
  constructor(on: boolean, now: () => number = () => performance.now()) {
    this.#on = on;
    this.#now = now;
  }

  show(event: EngineEvent): void {
    if (!this.#on || event.type === "notice") return;
    const work = `${event.verb} ${event.job}:`;
    if (work !== this.#work) [this.#work, this.#phase, this.#pace] = [work, "", new Pace()];
    if (event.type === "phase") [this.#phase, this.#pace] = [event.phase, new Pace()];
    else {
      const ms = this.#now();
      this.#pace.add({ bytes: event.bytes, total: event.total, ms });
      // A fast disk tells of a thousand blocks each second.
      if (ms - this.#drawnAt < redrawMilliseconds && event.bytes < event.total) return;
      this.#drawnAt = ms;
    }
    this.#draw(progressText([work, this.#phase], event.type === "progress" ? this.#pace : null));
  }

  #draw(text: string): void {
    process.stderr.write(`\r\x1b[K${text}`);
    if (!this.#shown) process.once("exit", () => process.stderr.write("\r\x1b[K"));
    this.#shown = true;
  }
}

/** `verify lj:  1.2 GiB of 4 GiB, 210 MiB/s, 13s left`; rate and time left as soon as they can be told. */
export function progressText(words: readonly string[], pace: Pace | null): string {
  const text = words.filter((word) => word !== "").join(" ");
  if (!pace?.last) return text;
  const { bytes, total } = pace.last;
  const amount = `${formatSize(bytes)} of ${formatSize(total)}`;
  const { bytesPerSecond, secondsLeft } = pace;
  const rate = bytesPerSecond === null ? [] : [`${formatSize(Math.round(bytesPerSecond))}/s`];
  const left = secondsLeft === null ? [] : [`${roughly(secondsLeft)} left`];
  return `${text}  ${[amount, ...rate, ...left].join(", ")}`;
}

/** `13s`, `4m 05s`, `2h 10m`: as exact as an estimate can be. */
function roughly(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${String(whole % 60).padStart(2, "0")}s`;
  return `${Math.floor(whole / 3600)}h ${String(Math.floor((whole % 3600) / 60)).padStart(2, "0")}m`;
}
