import { malformed } from "../images/malformed.ts";
import { BLOCK, type Extent, readHeader, readRecords } from "./tar-header.ts";

/** Bytes of a file, and where they lie in it; what no part covers is a hole. Good until the next part is asked for. */
export type TarPart = { readonly at: number; readonly bytes: Buffer };

export type TarEntry = {
  readonly type: "file" | "folder" | "link";
  /** As the archive has it, but for a slash at a folder's end: nothing says yet that it is a good one. */
  readonly name: string;
  readonly target: string;
  readonly size: number;
  /** In order. Whatever was not asked for is passed over when the next entry is. */
  readonly parts: AsyncIterable<TarPart>;
};

/**
 * Reads an archive as it comes: ustar, with pax headers and GNU's sparse format 1.0, which is what {@link headerOf} writes. To its end:
 * whoever has met the last entry knows that all was read. `file` is what faults name. Faults: `image-malformed`.
 */
export async function* readTar(source: AsyncIterable<Buffer>, file: string): AsyncGenerator<TarEntry, void> {
  const bytes = new Incoming(source, file);
  let records: ReadonlyMap<string, string> = new Map();
  try {
    for (;;) {
      const header = readHeader(await bytes.exactly(BLOCK), file);
      if (header === null) break;
      const stored = numberOr(records.get("size"), header.size, file);
      if (header.type === "x") {
        if (stored > largestHeader) throw malformed(file, "a pax header in it is too long");
        records = readRecords((await bytes.exactly(padded(stored))).subarray(0, stored), file);
        continue;
      }
      const end = bytes.read + padded(stored);
      const sparse = records.has("GNU.sparse.major") ? await readSparseMap(bytes, stored, file) : null;
      const size = numberOr(records.get("GNU.sparse.realsize"), stored, file);
      const name = records.get("GNU.sparse.name") ?? records.get("path") ?? header.name;
      const extents = sparse ?? [{ at: 0, bytes: stored }];
      yield {
        type: typeOf(header.type, file),
        name: name.replace(/\/$/, ""),
        target: records.get("linkpath") ?? header.target,
        size,
        parts: partsOf(bytes, extents, size, file),
      };
      records = new Map();
      await bytes.skip(end - bytes.read);
    }
    // What compressed it may have more to say, of its checksum.
    for (let rest = await bytes.some(restBytes); rest !== null; rest = await bytes.some(restBytes))
      if (rest.some((byte) => byte !== 0)) throw malformed(file, "it goes on after its end");
  } finally {
    await bytes.close();
  }
}

const [largestHeader, restBytes] = [1 << 20, 1 << 16];

async function* partsOf(bytes: Incoming, extents: readonly Extent[], size: number, file: string): AsyncGenerator<TarPart, void> {
  let from = 0;
  for (const extent of extents) {
    if (extent.at < from || extent.at + extent.bytes > size) throw malformed(file, "a file in it has parts that do not fit");
    from = extent.at + extent.bytes;
    for (let at = extent.at; at < from;) {
      const part = await bytes.some(from - at);
      if (part === null) throw malformed(file, "it ends too early");
      yield { at, bytes: part };
      at += part.length;
    }
  }
}

/** How many, then offset and length of each, one decimal number on a line, padded to a block. */
async function readSparseMap(bytes: Incoming, stored: number, file: string): Promise<readonly Extent[]> {
  const end = bytes.read + stored;
  const numbers: number[] = [];
  const wanted = (): number => 1 + 2 * (numbers[0] ?? 0);
  for (let text = ""; numbers.length < wanted();) {
    if (bytes.read + BLOCK > end) throw malformed(file, "a file in it has no map of its holes");
    const lines = (text + (await bytes.exactly(BLOCK)).toString("latin1")).split("\n");
    text = lines.pop() ?? "";
    for (const line of lines) if (numbers.length < wanted()) numbers.push(numberOr(line, 0, file));
  }
  return Array.from({ length: numbers[0] ?? 0 }, (_, i) => ({ at: numbers[1 + 2 * i] ?? 0, bytes: numbers[2 + 2 * i] ?? 0 }));
}

/** Pieces of any length as bytes in order. What it gives is a view: good until more is asked for. */
class Incoming {
  /** Bytes given so far. */
  read = 0;
  readonly #source: AsyncIterator<Buffer>;
  readonly #file: string;
  #rest: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Buffer>, file: string) {
    this.#source = source[Symbol.asyncIterator]();
    this.#file = file;
  }

  /** At least one and at most so many; `null`: there are no more. */
  async some(most: number): Promise<Buffer | null> {
    while (this.#rest.length === 0) {
      const next = await this.#source.next();
      if (next.done === true) return null;
      this.#rest = next.value;
    }
    const taken = this.#rest.subarray(0, most);
    this.#rest = this.#rest.subarray(taken.length);
    this.read += taken.length;
    return taken;
  }

  /** Just so many. Faults: `image-malformed` if there are fewer. */
  async exactly(count: number): Promise<Buffer> {
    const all = Buffer.alloc(count);
    for (let at = 0; at < count;) {
      const part = await this.some(count - at);
      if (part === null) throw malformed(this.#file, "it ends too early");
      part.copy(all, at);
      at += part.length;
    }
    return all;
  }

  async skip(count: number): Promise<void> {
    for (let left = count; left > 0;) {
      const part = await this.some(left);
      if (part === null) throw malformed(this.#file, "it ends too early");
      left -= part.length;
    }
  }

  async close(): Promise<void> {
    await this.#source.return?.();
  }
}

function padded(bytes: number): number {
  return Math.ceil(bytes / BLOCK) * BLOCK;
}

function numberOr(text: string | undefined, otherwise: number, file: string): number {
  if (text === undefined) return otherwise;
  const number = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(number))
    throw malformed(file, "a header in it holds no number where one belongs");
  return number;
}

function typeOf(flag: string, file: string): TarEntry["type"] {
  if (flag === "0" || flag === "\0") return "file";
  if (flag === "5") return "folder";
  if (flag === "2") return "link";
  throw malformed(file, `it holds something that is no file, folder or link (type ${JSON.stringify(flag)})`);
}
