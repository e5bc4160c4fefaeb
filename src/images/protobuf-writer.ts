/**
 * Builds records of protobuf messages with varint fields only (all that a pagemap needs), each behind its u32 length as CRIU's
 * `pb_write_one` does. Grows as needed.
 */
export class RecordWriter {
  #buffer = new Uint8Array(4096);
  #at = 0;
  #start = 0;

  /** Little-endian u32, for a magic. */
  u32(value: number): void {
    this.#room(4);
    new DataView(this.#buffer.buffer).setUint32(this.#at, value, true);
    this.#at += 4;
  }

  begin(): void {
    this.u32(0);
    this.#start = this.#at;
  }

  end(): void {
    new DataView(this.#buffer.buffer).setUint32(this.#start - 4, this.#at - this.#start, true);
  }

  /** An unsigned number up to 2^53. */
  uint(field: number, value: number): void {
    this.#room(20);
    this.#varint(0, field << 3);
    this.#varint(Math.floor(value / 0x1_0000_0000), value >>> 0);
  }

  /** The address of a page, any u64. */
  page(field: number, page: number): void {
    this.#room(20);
    this.#varint(0, field << 3);
    this.#varint(Math.floor(page / 0x10_0000), ((page % 0x10_0000) * 4096) >>> 0);
  }

  /** What was written so far: a view, good until the next write. */
  bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#at);
  }

  #varint(high: number, low: number): void {
    while (high !== 0 || low > 0x7f) {
      this.#buffer[this.#at++] = (low & 0x7f) | 0x80;
      low = ((low >>> 7) | ((high & 0x7f) << 25)) >>> 0;
      high >>>= 7;
    }
    this.#buffer[this.#at++] = low;
  }

  #room(bytes: number): void {
    if (this.#at + bytes <= this.#buffer.length) return;
    const larger = new Uint8Array(this.#buffer.length * 2);
    larger.set(this.#buffer);
    this.#buffer = larger;
  }
}
