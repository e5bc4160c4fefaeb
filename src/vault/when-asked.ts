import type { bringIn as BringIn } from "./bring-in.ts";
import type { consume as Consume } from "./consume.ts";
import type { dedup as Dedup } from "./dedup.ts";
import type { exportFolder as ExportFolder } from "./export-folder.ts";
import type { findImages as FindImages } from "./find-images.ts";
import type { fold as Fold } from "./fold.ts";
import type { pack as Pack, unpack as Unpack } from "./pack.ts";
import type { pageUse as PageUse } from "./page-use.ts";
import type {
  dropPreDumps as DropPreDumps,
  foldPreDumps as FoldPreDumps,
  makePreDumpFolder as MakePreDumpFolder,
} from "./pre-dumps.ts";
import type { verifyChains as VerifyChains } from "./read-back.ts";
import type { samplePages as SamplePages } from "./sample-pages.ts";
import type { seal as Seal } from "./seal.ts";
import type { thin as Thin } from "./thin.ts";
import type { foldersNow as FoldersNow, sweepUnpacked as SweepUnpacked, unpackAside as UnpackAside } from "./unpack-aside.ts";

// What reads and writes pages, each loaded when it is first asked for: to list points takes none of it, and it is most of this room. None of
// it is asked while a job stands still.
export const bringIn: typeof BringIn = async (...words) => (await import("./bring-in.ts")).bringIn(...words);
export const consume: typeof Consume = async (...words) => (await import("./consume.ts")).consume(...words);
export const dedup: typeof Dedup = async (...words) => (await import("./dedup.ts")).dedup(...words);
export const exportFolder: typeof ExportFolder = async (...words) => (await import("./export-folder.ts")).exportFolder(...words);
export const findImages: typeof FindImages = async (...words) => (await import("./find-images.ts")).findImages(...words);
export const fold: typeof Fold = async (...words) => (await import("./fold.ts")).fold(...words);
export const pack: typeof Pack = async (...words) => (await import("./pack.ts")).pack(...words);
export const unpack: typeof Unpack = async (...words) => (await import("./pack.ts")).unpack(...words);
export const pageUse: typeof PageUse = async (...words) => (await import("./page-use.ts")).pageUse(...words);
export const dropPreDumps: typeof DropPreDumps = async (...words) => (await import("./pre-dumps.ts")).dropPreDumps(...words);
export const foldPreDumps: typeof FoldPreDumps = async (...words) => (await import("./pre-dumps.ts")).foldPreDumps(...words);
export const makePreDumpFolder: typeof MakePreDumpFolder = async (...words) =>
  (await import("./pre-dumps.ts")).makePreDumpFolder(...words);
export const verifyChains: typeof VerifyChains = async (...words) => (await import("./read-back.ts")).verifyChains(...words);
export const samplePages: typeof SamplePages = async (...words) => (await import("./sample-pages.ts")).samplePages(...words);
export const seal: typeof Seal = async (...words) => (await import("./seal.ts")).seal(...words);
export const thin: typeof Thin = async (...words) => (await import("./thin.ts")).thin(...words);
export const foldersNow: typeof FoldersNow = async (...words) => (await import("./unpack-aside.ts")).foldersNow(...words);
export const sweepUnpacked: typeof SweepUnpacked = async (...words) => (await import("./unpack-aside.ts")).sweepUnpacked(...words);
export const unpackAside: typeof UnpackAside = async (...words) => (await import("./unpack-aside.ts")).unpackAside(...words);
