import { malformed } from "./malformed.ts";

/** First words of image files (CRIU: criu/include/magic.h). Each type's own magic follows a common one, but for the inventory's. */
const COMMON = 0x54564319;
const SERVICE = 0x55105940;
export const heads = {
  inventory: [0x58313116],
  pagemap: [COMMON, 0x56084025],
  pstree: [COMMON, 0x50273030],
  mm: [COMMON, 0x57492820],
  core: [COMMON, 0x55053847],
  stats: [SERVICE, 0x57093306],
} as const satisfies Record<string, readonly number[]>;

/**
 * The records of an image, as views: u32 magics, then until the end of the file u32 length and that many bytes (CRIU:
 * image.c:img_write_magic, protobuf.c). `file` is for the fault alone. Faults: `image-malformed`.
 */
export function* records(bytes: Uint8Array, type: keyof typeof heads, file: string): Generator<Uint8Array, void> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const word = (): number => {
    if (bytes.length - at < 4) throw malformed(file, bytes.length === 0 ? "it is empty" : `it is cut off at byte ${bytes.length}`);
    at += 4;
    return view.getUint32(at - 4, true);
  };
  for (const head of heads[type]) {
    const found = word();
    if (found !== head) throw malformed(file, `it begins as another kind of file (${hex(found)}, not ${hex(head)})`);
  }
  while (at < bytes.length) {
    const length = word();
    if (length > bytes.length - at) throw malformed(file, `its record at byte ${at} is cut off`);
    at += length;
    yield bytes.subarray(at - length, at);
  }
}

/** The one record of an image that has exactly one. */
export function onlyRecord(bytes: Uint8Array, type: keyof typeof heads, file: string): Uint8Array {
  const all = [...records(bytes, type, file)];
  const [first] = all;
  if (first === undefined || all.length !== 1) throw malformed(file, `it has ${all.length} records, not one`);
  return first;
}

function hex(word: number): string {
  return `0x${word.toString(16).padStart(8, "0")}`;
}
