import { createRequire } from "node:module";
import type koffiModule from "koffi";

type Koffi = typeof koffiModule;

let loaded: Koffi | undefined;

/** Calls into the C library; loaded at the first call, since most processes and threads make none. Synchronous, as its callers are. */
export function koffi(): Koffi {
  return (loaded ??= createRequire(import.meta.url)("koffi") as Koffi);
}
