import type { Manifest } from "../domain/manifest.ts";

/** A sealed generation as its manifest describes it, and where it lies. */
export type SealedFolder = Pick<Manifest, "number" | "digests" | "parent"> &
  Partial<Pick<Manifest, "capture" | "packed">> & { readonly folder: string };
