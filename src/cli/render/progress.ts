import { formatSize } from "../../domain/size.ts";
import type { EngineEvent } from "../../engine/ports.ts";

/** One line on standard error that is written over; nothing at all when that is not a terminal. */
export class Progress {
  readonly #on: boolean;
  #phase = "";
  #shown = false;

  constructor(on: boolean) {
    this.#on = on;
  }

  show(event: EngineEvent): void {
    if (!this.#on || event.type === "notice") return;
    if (event.type === "phase") this.#phase = event.phase;
    const amount = event.type === "progress" ? `  ${formatSize(event.bytes)} of ${formatSize(event.total)}` : "";
    process.stderr.write(`\r\x1b[K${event.verb} ${event.job}: ${this.#phase}${amount}`);
    if (!this.#shown) process.once("exit", () => process.stderr.write("\r\x1b[K"));
    this.#shown = true;
  }
}
