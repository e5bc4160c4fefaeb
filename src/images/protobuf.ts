import { malformed } from "./malformed.ts";

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

/** 2^32 and 2^20: a u64 is kept as two halves, because a number is exact up to 2^53 only. */
const TWO32 = 0x1_0000_0000;
const TWO20 = 0x10_0000;

/**
 * Walks over one protobuf message (developers.google.com/protocol-buffers, "Encoding"): `next` moves to a field, then exactly
 * one of `uint`, `u32`, `page`, `bytes`, `skip` takes its value. Every step moves forward, so it ends on any input.
 * Faults: `image-malformed`.
 */
export class ProtobufReader {
  /** Number of the field that `next` found. */
  field = 0;
  #wire = 0;
  #at = 0;
  #high = 0;
  #low = 0;
  readonly #bytes: Uint8Array;
  readonly #file: string;

  constructor(bytes: Uint8Array, file: string) {
    this.#bytes = bytes;
    this.#file = file;
  }

  /** False at the end of the message. */
  next(): boolean {
    if (this.#at === this.#bytes.length) return false;
    this.#varint();
    this.#wire = this.#low & 7;
    this.field = this.#low >>> 3;
    if (this.#high !== 0 || this.field === 0) throw malformed(this.#file, "a field has no number");
    return true;
  }

  /** An unsigned number up to 2^53. */
  uint(): number {
    this.#expect(VARINT);
    this.#varint();
    if (this.#high >= 0x20_0000) throw malformed(this.#file, `field ${this.field} is too large`);
    return this.#high * TWO32 + this.#low;
  }

  u32(): number {
    this.#expect(VARINT);
    this.#varint();
    if (this.#high !== 0) throw malformed(this.#file, `field ${this.field} is larger than 32 bits`);
    return this.#low;
  }

  /** An address (any u64), as the number of its 4 KiB page. */
  page(): number {
    this.#expect(VARINT);
    this.#varint();
    if ((this.#low & 0xfff) !== 0) throw malformed(this.#file, `the address in field ${this.field} is not that of a page`);
    return this.#high * TWO20 + (this.#low >>> 12);
  }

  /** A view, not a copy. */
  bytes(): Uint8Array {
    this.#expect(BYTES);
    return this.#take(this.#length());
  }

  skip(): void {
    if (this.#wire === VARINT) this.#varint();
    else if (this.#wire === FIXED64) this.#take(8);
    else if (this.#wire === BYTES) this.#take(this.#length());
    else if (this.#wire === FIXED32) this.#take(4);
    else throw malformed(this.#file, `field ${this.field} has wire type ${this.#wire}`);
  }

  #expect(wire: number): void {
    if (this.#wire !== wire) throw malformed(this.#file, `field ${this.field} has wire type ${this.#wire}, not ${wire}`);
  }

  #length(): number {
    this.#varint();
    return this.#high * TWO32 + this.#low;
  }

  #take(length: number): Uint8Array {
    if (length > this.#bytes.length - this.#at) throw malformed(this.#file, `field ${this.field} is cut off`);
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  /** Into `#high` and `#low`; what overflows 64 bits is dropped, as protobuf-c does. */
  #varint(): void {
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.#bytes[this.#at];
      if (byte === undefined) throw malformed(this.#file, "a number is cut off");
      this.#at++;
      const bits = byte & 0x7f;
      if (shift < 32) low |= bits << shift;
      if (shift === 28) high |= bits >>> 4;
      else if (shift > 28) high |= bits << (shift - 32);
      if (byte < 0x80) {
        this.#low = low >>> 0;
        this.#high = high >>> 0;
        return;
      }
    }
    throw malformed(this.#file, "a number has more than ten bytes");
  }
}
