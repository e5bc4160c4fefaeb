import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import type { Pace } from "../engine/ports.ts";
import type { Digest } from "./pages-write.ts";

/** Bytes read at once of what nobody asked for. */
const BLOCK = 1 << 20;

/** A file is not what its manifest says; `place` is that of its generation in the chain. */
export class PagesDamage extends Error {
  readonly place: number;
  readonly file: string;
  readonly why: string;

  constructor(place: number, file: string, why: string) {
    super(`${file}: ${why}`);
    this.place = place;
    this.file = file;
    this.why = why;
  }
}

/**
 * The digest of a file that is read in pieces from begin to end for another purpose, so that it need not be read twice. What lies between two pieces,
 * and after the last, it reads itself.
 */
export class RunningSum {
  readonly #hash = createHash("sha256");
  readonly #onBytes: (bytes: number) => void;
  readonly #pace: Pace | undefined;
  #at = 0;
  #block = Buffer.alloc(0);

  constructor(onBytes: (bytes: number) => void, pace?: Pace) {
    this.#onBytes = onBytes;
    this.#pace = pace;
  }

  /** A piece that was read. Gives how many bytes it had to read itself. */
  async take(handle: FileHandle, begin: number, bytes: Buffer): Promise<number> {
    if (begin < this.#at) throw new Error("a file that is summed up is read from begin to end");
    const skipped = await this.#upTo(handle, begin);
    this.#update(bytes);
    return skipped;
  }

  /** Reads what is left. */
  async end(handle: FileHandle): Promise<{ readonly digest: Digest; readonly bytesRead: number }> {
    const bytesRead = await this.#upTo(handle, Infinity);
    return { digest: { bytes: this.#at, sha256: this.#hash.digest("hex") }, bytesRead };
  }

  async #upTo(handle: FileHandle, end: number): Promise<number> {
    const from = this.#at;
    while (this.#at < end) {
      if (this.#block.length === 0) this.#block = Buffer.allocUnsafeSlow(BLOCK);
      const length = Math.min(BLOCK, end - this.#at);
      const { bytesRead } = await handle.read(this.#block, 0, length, this.#at);
      if (bytesRead === 0) break;
      await this.#pace?.(bytesRead);
      this.#update(this.#block.subarray(0, bytesRead));
    }
    return this.#at - from;
  }

  #update(bytes: Buffer): void {
    this.#hash.update(bytes);
    this.#at += bytes.length;
    this.#onBytes(bytes.length);
  }
}
