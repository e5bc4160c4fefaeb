import { koffi } from "../koffi.ts";

/** The few calls to the C library that Node has none of. All of them are synchronous and short. */
export type Libc = {
  readonly socket: (domain: number, type: number, protocol: number) => number;
  readonly send: (fd: number, bytes: Uint8Array, length: number, flags: number) => number;
  readonly recv: (fd: number, bytes: Uint8Array, length: number, flags: number) => number;
  readonly close: (fd: number) => number;
  readonly getxattr: (path: string, name: string, value: Uint8Array, size: number) => number;
};

let loaded: Libc | null | undefined;

/** `null` where koffi cannot call (an unusual C library): what needs it then says `unknown`. Loaded once. */
export function libc(): Libc | null {
  if (loaded === undefined) loaded = load();
  return loaded;
}

function load(): Libc | null {
  try {
    const library = koffi().load(null);
    return {
      socket: library.func("int socket(int, int, int)") as Libc["socket"],
      send: library.func("int64_t send(int, const uint8_t *, size_t, int)") as Libc["send"],
      recv: library.func("int64_t recv(int, _Out_ uint8_t *, size_t, int)") as Libc["recv"],
      close: library.func("int close(int)") as Libc["close"],
      getxattr: library.func("int64_t getxattr(const char *, const char *, _Out_ uint8_t *, size_t)") as Libc["getxattr"],
    };
  } catch {
    return null;
  }
}
