/** The simplest protobuf and CRIU image encoder there can be, on BigInt: what the reader in src is held against. */

export type Field = readonly [number: number, value: bigint | number | Uint8Array];

export function varint(value: bigint): number[] {
  const rest = value >> 7n;
  return rest === 0n ? [Number(value)] : [Number(value & 127n) | 128, ...varint(rest)];
}

export function message(...fields: readonly Field[]): Buffer {
  return Buffer.concat(
    fields.map(([number, value]) =>
      typeof value === "object"
        ? Buffer.concat([Buffer.from([...varint(BigInt(number * 8 + 2)), ...varint(BigInt(value.length))]), value])
        : Buffer.from([...varint(BigInt(number * 8)), ...varint(BigInt(value))]),
    ),
  );
}

export function image(magics: readonly number[], ...records: readonly Uint8Array[]): Buffer {
  return Buffer.concat([...magics.map(word), ...records.flatMap((record) => [word(record.length), record])]);
}

export function word(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

const COMMON = 0x54564319;

export const pagemapImage = (...records: readonly Uint8Array[]): Buffer => image([COMMON, 0x56084025], ...records);
export const pstreeImage = (...records: readonly Uint8Array[]): Buffer => image([COMMON, 0x50273030], ...records);
export const inventoryImage = (record: Uint8Array): Buffer => image([0x58313116], record);

/** Areas of anonymous private memory; `status` and `flags` as CRIU writes them for a heap unless given. */
export function mmImage(...areas: readonly { page: number; pages: number; status?: number; flags?: number }[]): Buffer {
  const vmas = areas.map(({ page, pages, status = 0x201, flags = 0x22 }): Field => {
    const start = BigInt(page) * 4096n;
    const end = start + BigInt(pages) * 4096n;
    // fd is a sint64 of -1, and with it all required fields are there.
    return [14, message([1, start], [2, end], [3, 0], [4, 0], [5, 3], [6, flags], [7, status], [8, 1])];
  });
  return image([COMMON, 0x57492820], message([1, 4096], [12, 5], ...vmas, [15, 1]));
}
