import { copyFile, mkdir, readFile, rename, rm, symlink, truncate, unlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { PAGE, PRESENT } from "../../../src/images/pagemap.ts";
import type { SealedFolder } from "../../../src/vault/pages-check.ts";
import { thin } from "../../../src/vault/thin.ts";
import { everything, readBack } from "../../../src/vault/read-back.ts";
import { checkDigests, checkStructure } from "../../../src/vault/verify.ts";
import { aPage, BASE } from "../../unit/images/specimens.ts";
import { digestsOf, ignore, scratchFolder, writeDump } from "./image-folders.ts";

let root: string;
/** Generations 3, 2, 1; the parent of 1 is none. */
let chain: SealedFolder[];
const at = (...parts: (string | number)[]): string => path.join(root, ...parts.map(String));

beforeEach(async () => {
  root = await scratchFolder();
  chain = [];
  for (const [i, letters] of ["aaaaa", "abaaa", "abcaa"].entries()) {
    const number = i + 1;
    const bytes = Buffer.concat(Array.from(letters, (letter) => aPage(letter, letter)));
    await writeDump(at("staging"), [
      { name: "pagemap-300.img", pagesId: 1, entries: [{ page: BASE, pages: 5, flags: PRESENT }], bytes },
    ]);
    await mkdir(at(number));
    const folders = chain.map(({ folder }) => folder);
    const { digests } = await thin({ staging: at("staging"), into: at(number), chain: folders, parentLink: `../${i}` }, ignore);
    await mkdir(at(number, "files"));
    await writeFile(at(number, "files", "log"), `of ${number}`);
    await writeFile(at(number, "holdfast.json"), "the seal");
    const log = { "files/log": { bytes: 4, sha256: digestLog[i] ?? "" } };
    chain.unshift({ number, folder: at(number), digests: { ...digests, ...log }, parent: i === 0 ? null : { number: i, id: "x" } });
  }
});
afterEach(() => rm(root, { recursive: true, force: true }));

const digestLog = [
  "982141be3b7a6beea73aac1eef8ad1b9d39cf7b4bc0e37e99f191431d38c6559",
  "617ee9f57e1dec6e6597d8924e569246a9737af2a46b4f34c41b90c2b525dd5a",
  "d08d62282644eb61da186101b4a4b1c896ffa8227d82c5a58da4d24e801818c3",
];

const verify = async () => (await readBack([chain], everything, ignore)).damage;

test("a whole chain has no damage, and the progress ends at what the manifests tell of", async () => {
  let last = [0, 0];
  const found = await readBack([chain], everything, (bytes, total) => (last = [bytes, total]));
  expect(found).toMatchObject({ damage: [], unread: [] });
  const total = chain.flatMap(({ digests }) => Object.values(digests)).reduce((sum, { bytes }) => sum + bytes, 0);
  expect(last).toEqual([total, total]);
});

describe("damage is found, in the generation and the file where it is:", () => {
  test("one bit of a page", async () => {
    const bytes = await readFile(at(1, "pages-1.img"));
    bytes[PAGE + 7] = (bytes[PAGE + 7] ?? 0) ^ 4;
    await writeFile(at(1, "pages-1.img"), bytes);
    expect(await checkStructure(chain)).toEqual([]);
    expect(await verify()).toEqual([{ number: 1, file: "pages-1.img", why: "its content is not what was sealed" }]);
  });

  test("a pages file cut short, told once", async () => {
    await truncate(at(2, "pages-1.img"), 100);
    expect(await verify()).toEqual([
      { number: 2, file: "pages-1.img", why: `it has 100 bytes, ${PAGE} were sealed` },
      { number: 2, file: "pagemap-300.img", why: expect.stringContaining("it tells of 4096 bytes of pages, pages-1.img has 100") },
    ]);
  });

  test("a missing file, a missing folder", async () => {
    await unlink(at(3, "pstree.img"));
    await rename(at(1), at("elsewhere"));
    // What reads its pages from there is whole as far as it goes: it is lost with the folder, and would be back with it.
    expect(await verify()).toEqual([
      { number: 1, file: ".", why: "the folder is missing" },
      { number: 3, file: "pstree.img", why: "it is missing" },
    ]);
  });

  test("a file too many, in the folder or below it", async () => {
    await writeFile(at(2, "pages-9.img"), "");
    await writeFile(at(3, "files", "other"), "");
    expect(await verify()).toEqual([
      { number: 2, file: "pages-9.img", why: "it is not in the manifest" },
      { number: 3, file: "files/other", why: "it is not in the manifest" },
    ]);
  });

  test("a captured file that changed", async () => {
    await writeFile(at(3, "files", "log"), "or 3");
    expect(await verify()).toEqual([{ number: 3, file: "files/log", why: "its content is not what was sealed" }]);
  });

  test("a link that is gone, leads elsewhere, or is where none belongs", async () => {
    await unlink(at(3, "parent"));
    await unlink(at(2, "parent"));
    await symlink("../3", at(2, "parent"));
    await symlink("../3", at(1, "parent"));
    expect(await verify()).toEqual([
      { number: 1, file: "parent", why: "it is there, and the generation is a base" },
      { number: 2, file: "parent", why: "it points to ../3, not to ../1" },
      { number: 3, file: "parent", why: "it is missing, and pages are left to the parent" },
    ]);
  });

  test("a link in the place of a file", async () => {
    await rename(at(3, "pages-1.img"), at("pages"));
    await symlink("../pages", at(3, "pages-1.img"));
    expect(await verify()).toContainEqual({ number: 3, file: "pages-1.img", why: "it is no plain file any more" });
  });

  test("a parent's memory that was put in another's place, with its digests", async () => {
    await copyFile(at(2, "pagemap-300.img"), at(1, "pagemap-300.img"));
    await copyFile(at(2, "pages-1.img"), at(1, "pages-1.img"));
    chain = [...chain.slice(0, 2), ...chain.slice(2).map((base) => ({ ...base }))];
    const base = chain[2];
    if (base !== undefined) chain[2] = { ...base, digests: { ...base.digests, ...(await digestsOf(at(1))) } };
    expect(await verify()).toContainEqual({
      number: 3,
      file: "pagemap-300.img",
      why: expect.stringContaining("there is no parent"),
    });
  });

  test("a pagemap that is no pagemap", async () => {
    await writeFile(at(1, "pagemap-300.img"), Buffer.alloc(200));
    const found = await verify();
    expect(found).toContainEqual({
      number: 1,
      file: "pagemap-300.img",
      why: expect.stringContaining("begins as another kind of file"),
    });
    expect(found.every(({ number }) => number === 1)).toBe(true);
  });
});

test("every file cut to any length is found, and found quickly", async () => {
  for (const { folder, number, digests } of chain) {
    for (const [file, { bytes }] of Object.entries(digests)) {
      const whole = await readFile(path.join(folder, file));
      for (const length of [0, 1, Math.floor(bytes / 2), bytes - 1]) {
        if (length < 0 || length >= bytes) continue;
        await truncate(path.join(folder, file), length);
        expect((await checkStructure(chain)).map((each) => `${each.number}/${each.file}`)).toContain(`${number}/${file}`);
        expect((await checkDigests(chain, ignore)).map((each) => `${each.number}/${each.file}`)).toEqual([`${number}/${file}`]);
        await writeFile(path.join(folder, file), whole);
      }
    }
  }
  expect(await verify()).toEqual([]);
});
