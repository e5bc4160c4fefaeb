import fc from "fast-check";
import { expect, test } from "vitest";
import { formatSize, parseSize } from "../../../src/domain/size.ts";

test.each([
  ["0", 0],
  ["4096", 4_096],
  ["7B", 7],
  ["512MiB", 536_870_912],
  ["20 GiB", 21_474_836_480],
  ["1TB", 1_000_000_000_000],
  ["1.5KiB", 1_536],
  ["2PiB", 2 ** 51],
])("%s is %d bytes", (text, bytes) => {
  expect(parseSize(text)).toBe(bytes);
});

test.each(["", "GiB", "20G", "20gb", "20gib", "-1", "1.5", "1.5B", "1e3", "1,5GiB", "20  GiB", " 1", "1 GiB x", "99999PiB"])(
  "%j is refused",
  (text) => {
    expect(() => parseSize(text)).toThrow(expect.objectContaining({ code: "size-invalid", exitStatus: 2 }));
  },
);

test.each([
  [0, "0 B"],
  [1_023, "1023 B"],
  [1_024, "1 KiB"],
  [1_048_575, "1 MiB"],
  [1_073_741_824, "1 GiB"],
  [12_345_678_901, "11.5 GiB"],
])("%d bytes are written %s", (bytes, text) => {
  expect(formatSize(bytes).replace(".0 ", " ")).toBe(text);
});

test("whole units are read back exactly, everything else to one decimal of its unit", () => {
  fc.assert(
    fc.property(fc.nat({ max: 2 ** 31 - 1 }), fc.nat({ max: 2 ** 19 }), (low, high) => {
      const bytes = high * 2 ** 31 + low;
      const read = parseSize(formatSize(bytes));
      expect(Math.abs(read - bytes)).toBeLessThanOrEqual(bytes * 0.0501);
    }),
  );
  for (const power of [0, 1, 2, 3, 4]) expect(parseSize(formatSize(3 * 1024 ** power))).toBe(3 * 1024 ** power);
});
