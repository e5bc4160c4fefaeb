import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import type { FileDigests } from "../domain/manifest.ts";
import type { Pace } from "../engine/ports.ts";

export type Digest = FileDigests[string];

/** Bytes that go to the disk in one write. */
const BLOCK = 1 << 20;

/** Writes a new file (0600) from begin to end in large blocks, and digests it on the way. Syncs nothing: that is the seal's. */
export class DigestWriter {
  readonly #handle: FileHandle;
  readonly #pace: Pace | undefined;
  readonly #hash = createHash("sha256");
  readonly #block = Buffer.allocUnsafeSlow(BLOCK);
  #filled = 0;
  #bytes = 0;

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
    let rest = bytes;
    while (rest.length > 0) {
      if (this.#filled === 0 && rest.length >= BLOCK) {
        await this.#write(rest);
        return;
      }
      const part = rest.subarray(0, BLOCK - this.#filled);
      this.#block.set(part, this.#filled);
      this.#filled += part.length;
      rest = rest.subarray(part.length);
      if (this.#filled === BLOCK) await this.#flush();
    }
  }

  async end(): Promise<Digest> {
    await this.#flush();
    return { bytes: this.#bytes, sha256: this.#hash.digest("hex") };
  }

  close(): Promise<void> {
    return this.#handle.close();
  }

  async #flush(): Promise<void> {
    await this.#write(this.#block.subarray(0, this.#filled));
    this.#filled = 0;
  }

  async #write(bytes: Uint8Array): Promise<void> {
    await this.#pace?.(bytes.length);
    for (let at = 0; at < bytes.length;) at += (await this.#handle.write(bytes, at, bytes.length - at)).bytesWritten;
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
