import { type FileHandle, open } from "node:fs/promises";
import path from "node:path";
import type { Pace } from "../engine/ports.ts";
import { malformed } from "../images/malformed.ts";
import { isPacked } from "./pack-read.ts";
import { damageOf } from "./pages-damage.ts";
import { PagesDamage, type RunningSum } from "./pages-sum.ts";
import type { Digest } from "./pages-write.ts";

/** Bytes `offset` to `offset + bytes` of file number `source`. */
export type Wanted = { readonly source: number; readonly offset: number; readonly bytes: number };

/** Ranges of one file that lie at most so far apart are read together, with what lies between; bytes. */
const GAP = 16 * 1024;

/** Memory that one read fills and the next but one fills again. Grows to the largest read. */
export class Scratch {
  #buffer = Buffer.alloc(0);

  take(bytes: number): Buffer {
    if (this.#buffer.length < bytes) this.#buffer = Buffer.allocUnsafeSlow(bytes);
    return this.#buffer;
  }
}

/** Reads scattered pieces of several pages files with few system calls. A file is opened when it is first wanted. */
export class PagesReader {
  /** So far. */
  bytesRead = 0;
  readonly #files: readonly string[];
  readonly #pace: Pace | undefined;
  readonly #sums: ReadonlyMap<number, RunningSum>;
  readonly #handles = new Map<number, Promise<FileHandle>>();

  /** `sums`: of sources that are read in ascending order and are to be summed up on the way. */
  constructor(files: readonly string[], pace?: Pace, sums: ReadonlyMap<number, RunningSum> = new Map()) {
    this.#files = files;
    this.#pace = pace;
    this.#sums = sums;
  }

  /**
   * The pieces, in the order they are wanted in, as views into `scratch`; per source they should ascend. At most five times
   * the wanted bytes are read, if all are single pages. Faults: `image-malformed` if a file ends too early. Throws `PagesDamage` for a source
   * that is summed up and cannot be read.
   */
  async read(wanted: readonly Wanted[], scratch: Scratch): Promise<readonly Buffer[]> {
    const runs: Run[] = [];
    const lastOf = new Map<number, Run>();
    const runOf = wanted.map(({ source, offset, bytes }) => {
      let run = lastOf.get(source);
      if (run === undefined || offset < run.begin || offset > run.end + GAP) {
        run = { source, begin: offset, end: offset + bytes, place: 0 };
        runs.push(run);
        lastOf.set(source, run);
      }
      run.end = Math.max(run.end, offset + bytes);
      return run;
    });
    let size = 0;
    for (const run of runs) {
      run.place = size;
      size += run.end - run.begin;
    }
    await this.#pace?.(size);
    const buffer = scratch.take(size);
    const bySource = Map.groupBy(runs, (run) => (this.#sums.has(run.source) ? run.source : run));
    await Promise.all([...bySource.values()].map((each) => this.#fillAll(each, buffer)));
    this.bytesRead += size;
    return wanted.map(({ offset, bytes }, i) => {
      const at = placeOf(runOf[i], offset);
      return buffer.subarray(at, at + bytes);
    });
  }

  /** Faults: `image-malformed` if the file is shorter than this. */
  async require(source: number, bytes: number): Promise<void> {
    // In a pack: its manifest tells the length, and was held against its pagemaps.
    if (await isPacked(path.dirname(this.#name(source)))) return;
    const { size } = await (await this.#open(source)).stat();
    if (size < bytes) throw tooShort(this.#name(source), size, bytes);
  }

  /** Reads the rest of a source that is summed up. Throws `PagesDamage` if it cannot be read. */
  async sumOf(source: number): Promise<Digest> {
    return this.#watched(source, async () => {
      const sum = this.#sums.get(source);
      if (sum === undefined) throw new Error(`source ${source} is not summed up`);
      const { digest, bytesRead } = await sum.end(await this.#open(source));
      this.bytesRead += bytesRead;
      return digest;
    });
  }

  async close(): Promise<void> {
    const opened = await Promise.allSettled(this.#handles.values());
    for (const each of opened) if (each.status === "fulfilled") await each.value.close();
  }

  /** Runs of one source in order, where the order matters. */
  async #fillAll(runs: readonly Run[], buffer: Buffer): Promise<void> {
    for (const run of runs) await this.#watched(run.source, () => this.#fill(run, buffer));
  }

  async #watched<T>(source: number, act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (error) {
      const why = this.#sums.has(source) ? damageOf(error) : null;
      throw why === null ? error : new PagesDamage(source, path.basename(this.#name(source)), why);
    }
  }

  async #fill(run: Run, buffer: Buffer): Promise<void> {
    const handle = await this.#open(run.source);
    for (let at = run.begin; at < run.end;) {
      const { bytesRead } = await handle.read(buffer, run.place + at - run.begin, run.end - at, at);
      if (bytesRead === 0) throw tooShort(this.#name(run.source), at, run.end);
      at += bytesRead;
    }
    const bytes = buffer.subarray(run.place, run.place + run.end - run.begin);
    this.bytesRead += (await this.#sums.get(run.source)?.take(handle, run.begin, bytes)) ?? 0;
  }

  #open(source: number): Promise<FileHandle> {
    let handle = this.#handles.get(source);
    if (handle === undefined) {
      handle = open(this.#name(source), "r").catch((error: NodeJS.ErrnoException) => {
        throw error.code === "ENOENT" ? malformed(this.#name(source), "it is missing") : error;
      });
      this.#handles.set(source, handle);
    }
    return handle;
  }

  #name(source: number): string {
    const file = this.#files[source];
    if (file === undefined) throw new Error(`there is no source ${source}`);
    return file;
  }
}

type Run = { readonly source: number; readonly begin: number; end: number; place: number };

function tooShort(file: string, size: number, needed: number): Error {
  return malformed(file, `it ends at byte ${size}, its pagemap goes on to ${needed}`);
}

function placeOf(run: Run | undefined, offset: number): number {
  if (run === undefined) throw new Error("every piece has a run");
  return run.place + offset - run.begin;
}
