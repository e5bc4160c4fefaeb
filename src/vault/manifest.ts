import { createHmac, timingSafeEqual } from "node:crypto";
import type { JobName } from "../domain/job.ts";
import type { Manifest } from "../domain/manifest.ts";
import { Fault } from "../faults/fault.ts";
import { complaint, damaged, parseFile } from "./document.ts";
import { manifestSchema } from "./manifest-schema.ts";

/**
 * The bytes of `holdfast.json`: the manifest as JSON, with `mac` added last: HMAC-SHA256, hex, with the host's key, over
 * the canonical form of all the rest. Layout and order of keys in the file mean nothing.
 */
export function manifestBytes(manifest: Manifest, key: Buffer): Buffer {
  const content = manifestSchema.parse(manifest);
  return Buffer.from(`${JSON.stringify({ ...content, mac: macOf(content, key).toString("hex") }, null, 2)}\n`);
}

/** Where the bytes were found. */
export type ManifestPlace = { readonly file: string; readonly job: JobName; readonly number: number };

/**
 * The manifest in these bytes. The mac is checked before anything in it is believed; whether it is the manifest of the place
 * it was found in is the caller's question. Faults: `vault-file-damaged` (unreadable), `vault-newer`, `manifest-forged` (the mac).
 */
export function readManifest(bytes: Buffer, key: Buffer, place: ManifestPlace): Manifest {
  const { mac, ...content } = parseFile(bytes, place.file);
  if (!macFits(mac, content, key)) throw Fault.of("manifest-forged", { point: place.number, job: place.job });
  const result = manifestSchema.safeParse(content);
  if (!result.success) throw damaged(place.file, complaint(result.error), result.error);
  return result.data;
}

/** JSON with the keys of every object in code-unit order and no white space, as RFC 8785 has it. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([name, each]) => `${JSON.stringify(name)}:${canonical(each)}`).join(",")}}`;
}

function macOf(content: object, key: Buffer): Buffer {
  return createHmac("sha256", key).update(canonical(content)).digest();
}

function macFits(mac: unknown, content: object, key: Buffer): boolean {
  if (typeof mac !== "string" || !/^[0-9a-f]{64}$/.test(mac)) return false;
  return timingSafeEqual(Buffer.from(mac, "hex"), macOf(content, key));
}
