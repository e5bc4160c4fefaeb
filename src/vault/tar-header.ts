import { malformed } from "../images/malformed.ts";

/**
 * A range of a file that holds data; between and behind them it is a hole, and reads as zeros. Begins and ends at whole blocks of 512 bytes,
 * but for an end at the file's own: tar pads each of them.
 */
export type Extent = { readonly at: number; readonly bytes: number };

/** One name in an archive. `extents`: in order, within `size`; one over all of it: the file has no hole. */
export type TarMember =
  | { readonly type: "folder"; readonly name: string }
  | { readonly type: "link"; readonly name: string; readonly target: string }
  | { readonly type: "file"; readonly name: string; readonly size: number; readonly extents: readonly Extent[] };

export const BLOCK = 512;

/** Two empty blocks end an archive (POSIX.1-2008, pax). */
export const ARCHIVE_END = Buffer.alloc(2 * BLOCK);

/**
 * What stands before a member's data: a ustar header, with a pax header where ustar has no room (long names, 8 GiB and more) and for files
 * with holes, which are written as GNU tar's sparse format 1.0, so that `tar x` makes the holes again. Owner root, mode 0600 or 0700.
 * `mtime`: seconds since the epoch.
 */
export function headerOf(member: TarMember, mtime: number): Buffer {
  const { name } = member;
  if (member.type === "folder") return named(`${name}/`, [], (short) => block(short, { type: "5", mtime, mode: 0o700 }));
  if (member.type === "link") {
    if (Buffer.byteLength(member.target) > 100) throw new Error(`the link ${name} is too long`);
    return named(name, [], (short) => block(short, { type: "2", mtime, mode: 0o777, target: member.target }));
  }
  const { size, extents } = member;
  const data = dataBytes(member);
  if (extents.some(({ at, bytes }) => at % BLOCK !== 0 || ((at + bytes) % BLOCK !== 0 && at + bytes !== size)))
    throw new Error(`the holes of ${name} are not at whole blocks`);
  if (data === size) return named(name, [], (short) => block(short, { type: "0", mtime, mode: 0o600, size }), size, mtime);
  const map = sparseMap(size, extents);
  const records = [
    ["GNU.sparse.major", "1"],
    ["GNU.sparse.minor", "0"],
    ["GNU.sparse.name", name],
    ["GNU.sparse.realsize", String(size)],
  ] as const;
  const stored = map.length + data;
  const head = named(
    "GNUSparseFile.0/file",
    records,
    (at) => block(at, { type: "0", mtime, mode: 0o600, size: stored }),
    stored,
    mtime,
  );
  return Buffer.concat([head, map]);
}

/** Bytes of data that follow the header, without the padding. */
export function dataBytes(member: TarMember): number {
  return member.type === "file" ? member.extents.reduce((sum, { bytes }) => sum + bytes, 0) : 0;
}

/** Zeros up to the next block. */
export function paddingAfter(bytes: number): Buffer {
  return Buffer.alloc((BLOCK - (bytes % BLOCK)) % BLOCK);
}

export type TarHeader = {
  readonly name: string;
  readonly size: number;
  readonly type: string;
  readonly target: string;
};

/** The header in a block; `null`: the block is empty, and the archive ends. Faults: `image-malformed`, naming `file`. */
export function readHeader(bytes: Buffer, file: string): TarHeader | null {
  if (bytes.every((byte) => byte === 0)) return null;
  const sum = numberIn(bytes, 148, 8, file);
  if (sum !== checksum(bytes)) throw malformed(file, "a header in it does not fit its checksum");
  const prefix = bytes.toString("latin1", 257, 262) === "ustar" ? textIn(bytes, 345, 155) : "";
  const name = textIn(bytes, 0, 100);
  return {
    name: prefix === "" ? name : `${prefix}/${name}`,
    size: numberIn(bytes, 124, 12, file),
    type: String.fromCharCode(bytes[156] ?? 0),
    target: textIn(bytes, 157, 100),
  };
}

/** The records of a pax header: `LENGTH KEY=VALUE\n`, the length counting itself. Faults: `image-malformed`. */
export function readRecords(bytes: Buffer, file: string): ReadonlyMap<string, string> {
  const records = new Map<string, string>();
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(0x20, at);
    const length = space < 0 ? 0 : Number(bytes.toString("latin1", at, space));
    const text = bytes.toString("utf8", space + 1, at + length - 1);
    const equals = text.indexOf("=");
    if (!Number.isInteger(length) || length < 5 || bytes[at + length - 1] !== 0x0a || equals < 1)
      throw malformed(file, "a pax header in it cannot be read");
    records.set(text.slice(0, equals), text.slice(equals + 1));
    at += length;
  }
  return records;
}

type Records = readonly (readonly [string, string])[];

/** Longest name, and largest size, that a ustar header has room for. */
const [nameBytes, sizeBytes] = [100, 8 ** 11 - 1];

function named(name: string, given: Records, header: (short: string) => Buffer, size = 0, mtime = 0): Buffer {
  const isShort = Buffer.byteLength(name) <= nameBytes && /^[\x20-\x7e]*$/.test(name);
  const records: Records = [
    ...given,
    ...(isShort ? [] : [["path", name] as const]),
    ...(size > sizeBytes ? [["size", String(size)] as const] : []),
  ];
  const last = header(isShort ? name : "long-name");
  if (records.length === 0) return last;
  const body = Buffer.concat(records.map(([key, value]) => record(key, value)));
  return Buffer.concat([
    block("PaxHeaders.0/file", { type: "x", mtime, mode: 0o600, size: body.length }),
    body,
    paddingAfter(body.length),
    last,
  ]);
}

function record(key: string, value: string): Buffer {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  let length = rest + 1;
  while (rest + String(length).length !== length) length = rest + String(length).length;
  return Buffer.from(`${length} ${key}=${value}\n`);
}

function sparseMap(size: number, extents: readonly Extent[]): Buffer {
  const last = extents.at(-1);
  // A hole at the end is told by an empty extent there.
  const all = last !== undefined && last.at + last.bytes === size ? extents : [...extents, { at: size, bytes: 0 }];
  const text = Buffer.from(`${all.length}\n${all.map(({ at, bytes }) => `${at}\n${bytes}\n`).join("")}`);
  return Buffer.concat([text, paddingAfter(text.length)]);
}

type Fields = {
  readonly type: string;
  readonly mtime: number;
  readonly mode: number;
  readonly size?: number;
  readonly target?: string;
};

function block(name: string, { type, mtime, mode, size = 0, target = "" }: Fields): Buffer {
  const bytes = Buffer.alloc(BLOCK);
  const number = (value: number, at: number, length: number): void =>
    void bytes.write(value.toString(8).padStart(length - 1, "0"), at, "latin1");
  bytes.write(name, 0, "latin1");
  number(mode, 100, 8);
  number(0, 108, 8);
  number(0, 116, 8);
  // What has no room here stands in the pax header, which goes before it.
  number(size > sizeBytes ? 0 : size, 124, 12);
  number(Math.max(0, mtime), 136, 12);
  bytes.write(type, 156, "latin1");
  bytes.write(target, 157, "utf8");
  bytes.write("ustar\u000000", 257, "latin1");
  bytes.write("root", 265, "latin1");
  bytes.write("root", 297, "latin1");
  bytes.write(`${checksum(bytes).toString(8).padStart(6, "0")}\u0000 `, 148, "latin1");
  return bytes;
}

/** The sum of all bytes, those of the sum itself taken as blanks. */
function checksum(bytes: Buffer): number {
  return bytes.reduce((sum, byte, at) => sum + (at >= 148 && at < 156 ? 0x20 : byte), 0);
}

function numberIn(bytes: Buffer, at: number, length: number, file: string): number {
  const text = textIn(bytes, at, length).trim();
  if (!/^[0-7]*$/.test(text)) throw malformed(file, "a header in it holds no number where one belongs");
  return text === "" ? 0 : Number.parseInt(text, 8);
}

function textIn(bytes: Buffer, at: number, length: number): string {
  const end = bytes.indexOf(0, at);
  return bytes.toString("utf8", at, end < 0 || end > at + length ? at + length : end);
}
