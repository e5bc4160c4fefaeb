import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import type { FileDigests } from "../domain/manifest.ts";
import type { Pace } from "../engine/ports.ts";

export type Digest = FileDigests[string];

/** Bytes that go to the disk in one write. */
const BLOCK = 1 << 20;

/** After so many bytes the disk is set to work on what there is, so that it does not stand still until the last sync. */
const START_DISK = 64 << 20;

/**
 * Writes a new file (0600) from begin to end in large blocks, and digests it on the way; while one block is written the next is filled and
 * digested. The seal's sync finds most of a large file on the disk already; nothing here takes its place.
 */
export class DigestWriter {
  readonly #handle: FileHandle;
  readonly #pace: Pace | undefined;
  readonly #hash = createHash("sha256");
  #block = Buffer.allocUnsafeSlow(BLOCK);
  #other = Buffer.alloc(0);
  #filled = 0;
  #bytes = 0;
  #written = 0;
  #writing: Promise<void> = Promise.resolve();
  #onDisk: Promise<void> = Promise.resolve();

  private constructor(handle: FileHandle, pace: Pace | undefined) {
    this.#handle = handle;
    this.#pace = pace;
  }

  static async create(file: string, pace?: Pace): Promise<DigestWriter> {
    return new DigestWriter(await open(file, "wx", 0o600), pace);
  }

  /** The caller may use the memory again once it resolves. */
  async push(bytes: Uint8Array): Promise<void> {
    this.#hash.update(bytes);
    this.#bytes += bytes.length;
    for (let rest = bytes; rest.length > 0;) {
      const part = rest.subarray(0, BLOCK - this.#filled);
      this.#block.set(part, this.#filled);
      this.#filled += part.length;
      rest = rest.subarray(part.length);
      if (this.#filled === BLOCK) await this.#flush();
    }
  }

  async end(): Promise<Digest> {
    await this.#flush();
    await this.#writing;
    await this.#onDisk;
    return { bytes: this.#bytes, sha256: this.#hash.digest("hex") };
  }

  /** What is under way is waited for, whatever becomes of it. */
  async close(): Promise<void> {
    await Promise.allSettled([this.#writing, this.#onDisk]);
    await this.#handle.close();
  }

  /** Waits for the block before, and lets this one go. */
  async #flush(): Promise<void> {
    await this.#writing;
    if (this.#other.length === 0) this.#other = Buffer.allocUnsafeSlow(BLOCK);
    const full = this.#block.subarray(0, this.#filled);
    [this.#block, this.#other] = [this.#other, this.#block];
    this.#filled = 0;
    this.#writing = this.#write(full);
    // It may fail while nobody waits for it; whoever flushes or ends is told.
    this.#writing.catch(() => undefined);
  }

  async #write(bytes: Uint8Array): Promise<void> {
    await this.#pace?.(bytes.length);
    for (let at = 0; at < bytes.length;) at += (await this.#handle.write(bytes, at, bytes.length - at)).bytesWritten;
    this.#written += bytes.length;
    if (this.#written < START_DISK) return;
    this.#written = 0;
    await this.#onDisk;
    this.#onDisk = this.#handle.datasync();
    this.#onDisk.catch(() => undefined);
  }
}

/** Writes a small file with bytes that are at hand, and digests it. */
export async function writeWhole(file: string, bytes: Uint8Array): Promise<Digest> {
  const writer = await DigestWriter.create(file);
  try {
    await writer.push(bytes);
    return await writer.end();
  } finally {
    await writer.close();
  }
}
