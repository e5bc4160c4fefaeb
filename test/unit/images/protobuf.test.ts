import fc from "fast-check";
import { expect, test } from "vitest";
import { Fault } from "../../../src/faults/fault.ts";
import { ProtobufReader } from "../../../src/images/protobuf.ts";
import { message } from "./encode.ts";

const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

test("an address of any u64 is read as the exact number of its page", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 52n - 1n }), (page) => {
      const reader = new ProtobufReader(message([1, page * 4096n]), "x");
      expect(reader.next()).toBe(true);
      expect(BigInt(reader.page())).toBe(page);
      expect(reader.next()).toBe(false);
    }),
  );
});

test("a number is read exactly, or refused when it is larger than 2^53", () => {
  fc.assert(
    fc.property(u64, fc.integer({ min: 1, max: 2 ** 28 }), (value, field) => {
      const reader = new ProtobufReader(message([field, value]), "x");
      reader.next();
      expect(reader.field).toBe(field);
      if (value < 2n ** 53n) expect(BigInt(reader.uint())).toBe(value);
      else expect(() => reader.uint()).toThrow(Fault);
    }),
  );
});

test("fields of every kind are skipped without losing the next one", () => {
  const fixed64 = Buffer.from([(9 << 3) | 1, 1, 2, 3, 4, 5, 6, 7, 8]);
  const fixed32 = Buffer.from([(10 << 3) | 5, 1, 2, 3, 4]);
  const all = Buffer.concat([message([3, 2n ** 64n - 1n], [4, Buffer.from("text")]), fixed64, fixed32, message([1, 7])]);
  const reader = new ProtobufReader(all, "x");
  for (const field of [3, 4, 9, 10]) {
    expect(reader.next()).toBe(true);
    expect(reader.field).toBe(field);
    reader.skip();
  }
  reader.next();
  expect(reader.uint()).toBe(7);
});

test.each([
  ["a number that never ends", Buffer.alloc(11, 0xff)],
  ["a cut number", Buffer.from([0x08, 0x80])],
  ["text longer than the message", Buffer.from([0x0a, 5, 1, 2])],
  ["a length beyond all memory", Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1])],
  ["field number 0", Buffer.from([0x00, 0])],
  ["an unknown wire type", Buffer.from([0x0b])],
])("%s is a fault", (_what, bytes) => {
  expect(() => walk(bytes)).toThrow(Fault);
});

test("any bytes end in a fault or at their end", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      try {
        walk(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(Fault);
      }
    }),
    { numRuns: 1000 },
  );
});

function walk(bytes: Uint8Array): void {
  const reader = new ProtobufReader(bytes, "x");
  while (reader.next()) reader.skip();
}
