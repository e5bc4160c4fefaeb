import { execFileSync } from "node:child_process";
import { mkdir, open, readdir, readFile, readlink, rm, stat, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { holesIn } from "../../../src/host/holes.ts";
import { ARCHIVE_END, dataBytes, headerOf, paddingAfter, type TarMember } from "../../../src/vault/tar-header.ts";
import { readTar } from "../../../src/vault/tar-read.ts";
import { scratchFolder } from "./image-folders.ts";

let root: string;
beforeEach(async () => {
  root = await scratchFolder();
});
afterEach(() => rm(root, { recursive: true, force: true }));

type Extent = { readonly at: number; readonly bytes: Buffer };
type Content = { readonly name: string; readonly size: number; readonly extents: readonly Extent[] };

function archiveOf(files: readonly Content[], others: readonly TarMember[] = []): Buffer {
  const parts = others.map((member) => headerOf(member, 1_700_000_000));
  for (const { name, size, extents } of files) {
    const member = { type: "file", name, size, extents: extents.map(({ at, bytes }) => ({ at, bytes: bytes.length })) } as const;
    parts.push(headerOf(member, 1_700_000_000), ...extents.map(({ bytes }) => bytes), paddingAfter(dataBytes(member)));
  }
  return Buffer.concat([...parts, ARCHIVE_END]);
}

function whole({ size, extents }: Content): Buffer {
  const bytes = Buffer.alloc(size);
  for (const extent of extents) extent.bytes.copy(bytes, extent.at);
  return bytes;
}

/** In pieces of this many bytes: nothing may depend on where one ends. */
async function* inPieces(bytes: Buffer, piece: number): AsyncGenerator<Buffer, void> {
  for (let at = 0; at < bytes.length; at += piece) yield bytes.subarray(at, at + piece);
}

async function read(archive: Buffer, piece = 1 << 20): Promise<readonly (readonly [string, string, Buffer | string])[]> {
  const found: (readonly [string, string, Buffer | string])[] = [];
  for await (const { type, name, target, size, parts } of readTar(inPieces(archive, piece), "pack")) {
    const bytes = Buffer.alloc(size);
    for await (const part of parts) part.bytes.copy(bytes, part.at);
    found.push([type, name, type === "file" ? bytes : target]);
  }
  return found;
}

const contents: fc.Arbitrary<readonly Content[]> = fc.uniqueArray(
  fc
    .record({
      name: fc.oneof(
        fc.constantFrom("pages-1.img", "files/1", "dump.log"),
        fc.stringMatching(/^[a-z]{90,240}$/),
        fc.constantFrom("gr\u00f6\u00dfe.img", "a name"),
      ),
      gaps: fc.array(fc.record({ gap: fc.nat(8), bytes: fc.uint8Array({ minLength: 1, maxLength: 2000 }) }), { maxLength: 60 }),
      tail: fc.constantFrom(0, 1, 511, 512, 70_000),
    })
    .map(({ name, gaps, tail }) => {
      let size = 0;
      const extents = gaps.map(({ gap, bytes }, i) => {
        const at = size + 512 * gap;
        // Only the end of the file need not be that of a block.
        const length = i === gaps.length - 1 && tail === 0 ? bytes.length : 512 * Math.ceil(bytes.length / 512);
        size = at + length;
        const padded = Buffer.alloc(length, 1);
        padded.set(bytes);
        return { at, bytes: padded };
      });
      return { name, size: size + tail, extents };
    }),
  { selector: ({ name }) => name, minLength: 1, maxLength: 4 },
);

test("what is written is read again, byte for byte, whatever the pieces it comes in", async () => {
  await fc.assert(
    fc.asyncProperty(contents, fc.constantFrom(1, 7, 512, 513, 1 << 20), async (files, piece) => {
      expect(await read(archiveOf(files), piece)).toEqual(files.map((one) => ["file", one.name, whole(one)]));
    }),
    { numRuns: 40 },
  );
});

test("the system's tar makes the same files of it, with folders and the link", async () => {
  await fc.assert(
    fc.asyncProperty(contents, async (files) => {
      const into = path.join(root, "out");
      await rm(into, { recursive: true, force: true });
      await mkdir(into);
      const others = [{ type: "folder", name: "files" } as const, { type: "link", name: "parent", target: "../7" } as const];
      execFileSync("tar", ["-xC", into], { input: archiveOf(files, others) });
      expect(await readlink(path.join(into, "parent"))).toBe("../7");
      for (const one of files) expect((await readFile(path.join(into, one.name))).equals(whole(one)), one.name).toBe(true);
      expect((await stat(path.join(into, files[0]?.name ?? ""))).mode & 0o777).toBe(0o600);
    }),
    { numRuns: 15 },
  );
}, 60_000);

test("holes are holes again when the system's tar unpacks it", async () => {
  const size = 64 * 2 ** 20;
  const file = { name: "pages-1.img", size, extents: [{ at: 2 ** 20, bytes: Buffer.alloc(4096, "x") }] };
  execFileSync("tar", ["-xC", root], { input: archiveOf([file]) });
  const found = await stat(path.join(root, "pages-1.img"));
  expect(found.size).toBe(size);
  expect(found.blocks * 512).toBeLessThan(2 ** 18);
});

test("a file of 8 GiB and more, and holes at every second page, are told so that tar finds them where they are", async () => {
  const extents = Array.from({ length: 3000 }, (_, i) => ({ at: i * 8192, bytes: Buffer.alloc(4096, String(i % 10)) }));
  const large = { name: "pages-1.img", size: 20 * 2 ** 30, extents };
  execFileSync("tar", ["-xC", root], { input: archiveOf([large]) });
  const handle = await open(path.join(root, "pages-1.img"));
  try {
    expect((await handle.stat()).size).toBe(large.size);
    const page = Buffer.alloc(4096);
    for (const { at, bytes } of extents) expect((await handle.read(page, 0, 4096, at)) && page.equals(bytes)).toBe(true);
    expect(holesIn(handle.fd, large.size)).toHaveLength(3000);
  } finally {
    await handle.close();
  }
  // Without holes the length itself has no room in ustar.
  const header = headerOf({ type: "file", name: "pages-1.img", size: 2 ** 34, extents: [{ at: 0, bytes: 2 ** 34 }] }, 0);
  const listed = execFileSync("bash", ["-c", "tar -tv 2>/dev/null || true"], { input: header, encoding: "utf8" });
  expect(listed).toContain(` ${2 ** 34} `);
});

test.each(["--format=pax -S", "--format=pax", "--format=ustar"])("an archive of the system's tar is read (%s)", async (words) => {
  const from = path.join(root, "from");
  await mkdir(path.join(from, "files"), { recursive: true });
  const handle = await open(path.join(from, "pages-1.img"), "wx");
  await handle.write(Buffer.alloc(5000, "a"), 0, 5000, 2 ** 20);
  await handle.truncate(2 ** 21 + 13);
  await handle.close();
  await writeFile(path.join(from, "files/1"), "captured");
  await symlink("../3", path.join(from, "parent"));
  const archive = execFileSync("tar", [...words.split(" "), "-cC", from, ...(await readdir(from))], { maxBuffer: 2 ** 24 });
  const found = new Map((await read(archive)).map(([type, name, content]) => [name, [type, content]]));
  expect(found.get("files")).toEqual(["folder", ""]);
  expect(found.get("parent")).toEqual(["link", "../3"]);
  expect(found.get("files/1")).toEqual(["file", Buffer.from("captured")]);
  const pages = found.get("pages-1.img")?.[1] as Buffer;
  expect(pages.equals(await readFile(path.join(from, "pages-1.img")))).toBe(true);
});

describe("an archive that is no good", () => {
  const good = archiveOf([{ name: "pages-1.img", size: 9000, extents: [{ at: 4096, bytes: Buffer.alloc(4096, "x") }] }]);

  test.each([1, 511, 512, 600, 1024, 1536, 2048, 4000, good.length - 1024])(
    "is refused when it ends after %i bytes",
    async (bytes) => {
      await expect(read(good.subarray(0, bytes))).rejects.toMatchObject({ code: "image-malformed" });
    },
  );

  test("is refused whatever byte of a header is another", async () => {
    for (const at of [0, 124, 148, 156, 257]) {
      const bad = Buffer.from(good);
      bad[at] = (bad[at] ?? 0) ^ 1;
      await expect(read(bad), `byte ${at}`).rejects.toMatchObject({ code: "image-malformed" });
    }
  });

  test("is refused when it goes on after its end", async () => {
    await expect(read(Buffer.concat([good, Buffer.from("more")]))).rejects.toMatchObject({ code: "image-malformed" });
  });
});
