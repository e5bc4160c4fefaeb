import { readSync } from "node:fs";
import koffi from "koffi";
import { errnoOf } from "./translate.ts";

/**
 * Tells of each watched file whether it has been written to since (inotify(7)). The kernel says so at the end of a write, so one that had begun
 * before the watch is told of too; by then the time of change that `stat` shows may be old. Not told: what is written through a mapping.
 */
export class WriteWatch {
  readonly #fd: number;
  readonly #written = new Set<number>();
  /** False once the kernel has dropped a word: then nothing can be said of any file. */
  #isWhole = true;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /** `null` where there is none to be had (the user's limit of watches is reached). */
  static open(): WriteWatch | null {
    const fd = calls().init(IN_NONBLOCK | IN_CLOEXEC);
    return fd < 0 ? null : new WriteWatch(fd);
  }

  /** The watch's number; `null` if this file cannot be watched. Each tells of its file once, so that busy files do not crowd out others. */
  add(path: string): number | null {
    const watch = calls().add(this.#fd, path, IN_MODIFY | IN_ONESHOT);
    return watch < 0 ? null : watch;
  }

  /** Has nothing been written to it since `add`, up to this very moment? */
  isSilent(watch: number): boolean {
    this.#drain();
    return this.#isWhole && !this.#written.has(watch);
  }

  /** Once only. */
  close(): void {
    // Not by `closeSync`: in a worker thread Node warns of each descriptor that it closes and has not opened.
    calls().close(this.#fd);
  }

  #drain(): void {
    const buffer = Buffer.alloc(64 * 1024);
    for (;;) {
      let length: number;
      try {
        length = readSync(this.#fd, buffer);
      } catch (error) {
        if (errnoOf(error) === "EAGAIN") return;
        throw error;
      }
      for (let at = 0; at < length; at += HEAD + buffer.readUInt32LE(at + 12)) {
        if ((buffer.readUInt32LE(at + 4) & IN_Q_OVERFLOW) !== 0) this.#isWhole = false;
        this.#written.add(buffer.readInt32LE(at));
      }
    }
  }
}

const [IN_MODIFY, IN_Q_OVERFLOW, IN_ONESHOT] = [0x2, 0x4000, 0x80000000];
const [IN_NONBLOCK, IN_CLOEXEC] = [0o4000, 0o2000000];
/** Bytes of an event before its name. */
const HEAD = 16;

type Calls = {
  readonly init: (flags: number) => number;
  readonly add: (fd: number, path: string, mask: number) => number;
  readonly close: (fd: number) => number;
};

let loaded: Calls | null = null;

function calls(): Calls {
  if (loaded === null) {
    const libc = koffi.load(null);
    loaded = {
      init: libc.func("int inotify_init1(int)") as Calls["init"],
      add: libc.func("int inotify_add_watch(int, const char *, uint32_t)") as Calls["add"],
      close: libc.func("int close(int)") as Calls["close"],
    };
  }
  return loaded;
}
