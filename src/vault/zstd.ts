import type { Transform } from "node:stream";
import { constants, createZstdCompress, createZstdDecompress } from "node:zlib";
import type { Pace } from "../engine/ports.ts";
import { malformed } from "../images/malformed.ts";
import { blocksOf } from "./pages-move.ts";
import { type Digest, DigestWriter } from "./pages-write.ts";

/** What it gives at once, in bytes. */
const CHUNK = 1 << 20;

/** zstd's own default: beyond it dumps get a few percent smaller, at half the speed (`docs/measurements.md`). */
const LEVEL = 3;

/**
 * Writes what comes into a new file, compressed, and digests the file. A piece may be used again once the next one is asked for. Holds
 * some 10 MiB, whatever comes. Syncs nothing; a failure in the middle leaves a part of the file.
 */
export async function compressInto(file: string, pieces: AsyncIterable<Buffer>, pace?: Pace): Promise<Digest> {
  const zstd = createZstdCompress({
    chunkSize: CHUNK,
    params: { [constants.ZSTD_c_compressionLevel]: LEVEL, [constants.ZSTD_c_checksumFlag]: 1 },
  });
  const writer = await DigestWriter.create(file, pace);
  try {
    for await (const packed of through(zstd, pieces)) await writer.push(packed);
    return await writer.end();
  } finally {
    await writer.close();
  }
}

/** What a file compressed by zstd holds. `onPacked` is given every block of the file itself. Faults: `image-malformed` if it is no such file. */
export async function* decompressed(file: string, onPacked: (block: Buffer) => void, pace?: Pace): AsyncGenerator<Buffer, void> {
  async function* blocks(): AsyncGenerator<Buffer, void> {
    for await (const block of blocksOf(file, pace)) {
      onPacked(block);
      yield block;
    }
  }
  try {
    yield* through(createZstdDecompress({ chunkSize: CHUNK }), blocks());
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code?.startsWith("ZSTD_") === true || code?.startsWith("Z_") === true)
      throw malformed(file, `zstd cannot read it: ${message}`);
    throw error;
  }
}

/** Each piece is given back to its maker only when it has been taken in whole; hence no `pipeline`, which reads ahead. */
async function* through(stream: Transform, pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void> {
  // Told by the iteration, or of no interest any more.
  stream.on("error", () => undefined);
  const feed = async (): Promise<void> => {
    try {
      for await (const piece of pieces) await writeWhole(stream, piece);
      stream.end();
    } catch (error) {
      stream.destroy(error as Error);
    }
  };
  const feeding = feed();
  try {
    for await (const chunk of stream) yield chunk as Buffer;
  } finally {
    stream.destroy();
    await feeding;
  }
}

function writeWhole(stream: Transform, piece: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    // Destroyed while it waits for a reader, it would never answer.
    const onClose = (): void => reject(new Error("nobody reads on"));
    stream.once("close", onClose);
    stream.write(piece, (error) => {
      stream.off("close", onClose);
      if (error) reject(error);
      else resolve();
    });
  });
}
