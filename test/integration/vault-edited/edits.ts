import { execFileSync } from "node:child_process";
import { appendFile, chmod, copyFile, cp, mkdir, readFile, rename, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { made, other, type Scene } from "./scene.ts";

/** One thing a person might do to a vault by hand, and what must come of it. */
export type Edit = {
  readonly what: string;
  readonly edit: (scene: Scene) => Promise<unknown>;
  /** What somebody is told who verifies it, or asks for the job: all of these. */
  readonly told: readonly RegExp[];
  /** Points of `made` that are offered no more once it was verified; all five are there else. */
  readonly lost?: readonly number[];
  /** Exit status of `verify`. */
  readonly status?: number;
  /** What the next take would be; the head is on 5. */
  readonly next?: "base" | "increment" | "refused";
  /** Directories that may not be deleted by a pass that keeps the newest point alone. */
  readonly spared?: readonly (number | string)[];
  /** What a look removes, as the format says, or writes again, since the catalogue still knows it. */
  readonly apart?: RegExp;
};

const scribble = "{ this is not";
const away = (scene: Scene, number: number): Promise<void> => rm(scene.of(number), { recursive: true });
const copied = (from: string, to: string): Promise<void> => cp(from, to, { recursive: true, verbatimSymlinks: true });
async function swap(one: string, two: string): Promise<void> {
  await rename(one, `${one}.x`);
  await rename(two, one);
  await rename(`${one}.x`, two);
}
async function link(scene: Scene, number: number, target: string): Promise<void> {
  await rm(scene.of(number, "parent"), { force: true });
  await symlink(target, scene.of(number, "parent"));
}
async function flip(file: string): Promise<void> {
  const bytes = await readFile(file);
  bytes[5000] = (bytes[5000] ?? 0) ^ 1;
  await writeFile(file, bytes);
}

const directories: readonly Edit[] = [
  { what: "the base's directory deleted", edit: (s) => away(s, 1), told: [/point 1\b.*gone/], lost: [1, 2, 3], spared: [2, 3] },
  { what: "a middle one's directory deleted", edit: (s) => away(s, 2), told: [/point 2\b.*gone/], lost: [2, 3], spared: [1, 3] },
  { what: "the newest one's directory deleted", edit: (s) => away(s, 5), told: [/point 5\b.*gone/], lost: [5], next: "base" },
  {
    what: "a directory renamed to another number",
    edit: (s) => rename(s.of(2), s.of(9)),
    told: [/point 2\b.*gone/, /point 9\b.*that of point 2/],
    lost: [2, 3],
    spared: [1, 3, 9],
    next: "base",
  },
  {
    what: "a directory copied to a new number",
    edit: (s) => copied(s.of(3), s.of(9)),
    told: [/point 9\b.*that of point 3/],
    spared: [9],
    next: "base",
  },
  {
    what: "two directories swapped by name",
    edit: (s) => swap(s.of(2), s.of(3)),
    told: [/point 2\b.*that of point 3/, /point 3\b.*that of point 2/],
    lost: [2, 3],
    spared: [1, 2, 3],
  },
  {
    what: "a directory moved elsewhere, with a link in its place",
    edit: async (s) => {
      await rename(s.of(2), `${s.folder}/elsewhere`);
      await symlink(`${s.folder}/elsewhere`, s.of(2));
    },
    told: [/point 2\b.*gone/],
    lost: [2, 3],
    spared: [1, 2, 3],
  },
];

const images: readonly Edit[] = [
  {
    what: "a pages file truncated",
    edit: (s) => truncate(s.of(2, "pages-1.img"), 4096),
    told: [/point 2: pages-1\.img/],
    lost: [2, 3],
    spared: [1, 2, 3],
  },
  {
    what: "a pages file grown",
    edit: (s) => appendFile(s.of(2, "pages-1.img"), Buffer.alloc(4096)),
    told: [/point 2: pages-1\.img/],
    lost: [2, 3],
    spared: [1, 2, 3],
  },
  {
    what: "one byte of a page flipped",
    edit: (s) => flip(s.of(1, "pages-2.img")),
    told: [/point 1: pages-2\.img.*not what was sealed/],
    lost: [1, 2, 3],
    spared: [1, 2, 3],
  },
  {
    what: "a pages file replaced by its neighbour's",
    edit: (s) => copyFile(s.of(2, "pages-2.img"), s.of(2, "pages-1.img")),
    told: [/point 2: pages-1\.img.*not what was sealed/],
    lost: [2, 3],
    spared: [1, 2, 3],
  },
  {
    what: "a pagemap swapped with another process's",
    edit: (s) => swap(s.of(5, "pagemap-300.img"), s.of(5, "pagemap-301.img")),
    told: [/point 5: pagemap-300\.img/],
    lost: [5],
    spared: [4, 5],
    next: "base",
  },
  {
    what: "a stray file in a directory",
    edit: (s) => writeFile(s.of(5, "notes.txt"), "x"),
    told: [/point 5: notes\.txt.*not in the manifest/],
    lost: [5],
    spared: [4, 5],
    next: "base",
  },
];

const parents: readonly Edit[] = [
  {
    what: "a parent link to an older one",
    edit: (s) => link(s, 3, "../1"),
    told: [/point 3: parent.*\.\.\/1, not to \.\.\/2/],
    lost: [3],
    spared: [2, 3],
  },
  {
    what: "a parent link to itself",
    edit: (s) => link(s, 3, "../3"),
    told: [/point 3: parent.*\.\.\/3/],
    lost: [3],
    spared: [2, 3],
  },
  {
    what: "a dangling parent link",
    edit: (s) => link(s, 3, "../77"),
    told: [/point 3: parent.*\.\.\/77/],
    lost: [3],
    spared: [2, 3],
  },
  {
    what: "a parent link outside the vault",
    edit: (s) => link(s, 3, "/tmp"),
    told: [/point 3: parent.*\/tmp/],
    lost: [3],
    spared: [2, 3],
  },
  {
    what: "a parent link deleted",
    edit: (s) => rm(s.of(3, "parent")),
    told: [/point 3: parent.*missing/],
    lost: [3],
    spared: [2, 3],
  },
  {
    what: "a parent link replaced by a directory",
    edit: async (s) => {
      await rm(s.of(3, "parent"));
      await copied(s.of(2), s.of(3, "parent"));
    },
    told: [/point 3: parent: it is no link/],
    lost: [3],
    spared: [2, 3],
  },
];

const manifest = "holdfast.json";
const manifests: readonly Edit[] = [
  { what: "a manifest deleted", edit: (s) => rm(s.of(2, manifest)), told: [/point 2\b.*gone/], lost: [2, 3], spared: [1, 2, 3] },
  {
    what: "a manifest edited",
    edit: async (s) =>
      writeFile(s.of(2, manifest), (await readFile(s.of(2, manifest), "utf8")).replace('"rootVpid": 2', '"rootVpid": 3')),
    told: [/point 2\b.*does not match this host's key/],
    lost: [2, 3],
    spared: [1, 2, 3],
  },
  {
    what: "a manifest scribbled",
    edit: (s) => writeFile(s.of(5, manifest), scribble),
    told: [/point 5\b.*not whole JSON/],
    lost: [5],
    spared: [4, 5],
    next: "base",
  },
  {
    what: "a manifest copied from another generation",
    edit: (s) => copyFile(s.of(1, manifest), s.of(2, manifest)),
    told: [/point 2\b.*that of point 1/],
    lost: [2, 3],
    spared: [1, 2, 3],
  },
  {
    what: "a manifest copied from another job",
    edit: (s) => copyFile(s.at(other, "generations", 2, manifest), s.of(2, manifest)),
    told: [/point 2\b.*point 2 of other/],
    lost: [2, 3],
    spared: [1, 2, 3],
  },
];

const all = [1, 2, 3, 4, 5];
const records: readonly Edit[] = [
  {
    what: "marks.json scribbled",
    edit: (s) => writeFile(s.at(made, "marks.json"), scribble),
    told: [/marks\.json.*not whole JSON/],
    status: 13,
    spared: all,
  },
  { what: "head.json deleted", edit: (s) => rm(s.at(made, "head.json")), told: [], next: "base" },
  { what: "head.json scribbled", edit: (s) => writeFile(s.at(made, "head.json"), scribble), told: [], next: "base" },
  {
    what: "head.json taken from another job",
    edit: (s) => copyFile(s.at(other, "head.json"), s.at(made, "head.json")),
    told: [],
    next: "base",
  },
  {
    what: "job.json scribbled",
    edit: (s) => writeFile(s.at(made, "job.json"), scribble),
    told: [/job\.json.*not whole JSON/],
    status: 13,
  },
  {
    what: "a run's record scribbled",
    edit: (s) => writeFile(s.at(made, "runs", 1, "run.json"), scribble),
    told: [/run\.json.*not whole JSON/],
    status: 13,
  },
  { what: "job.json deleted", edit: (s) => rm(s.at(made, "job.json")), told: [/job\.json/], apart: /made\/job\.json/ },
  {
    what: "the runs folder removed",
    edit: (s) => rm(s.at(made, "runs"), { recursive: true }),
    told: [/run 1\b/],
    apart: /made\/runs\//,
  },
];

const whole: readonly Edit[] = [
  {
    what: "the key replaced",
    edit: (s) => writeFile(`${s.vault}/key`, `${"ab".repeat(32)}\n`),
    told: [/key .*not the one this vault was made with/],
    status: 13,
    next: "refused",
    spared: all,
  },
  { what: "the key deleted", edit: (s) => rm(`${s.vault}/key`), told: [/key .*missing/], status: 13, next: "refused", spared: all },
  {
    what: "the key opened to others",
    edit: (s) => chmod(`${s.vault}/key`, 0o644),
    told: [/key .*0600/],
    status: 13,
    next: "refused",
    spared: all,
  },
  {
    what: "stray names among the generations",
    edit: async (s) => {
      for (const name of ["notes.txt", "7"]) await writeFile(s.of(name), "x");
      for (const name of ["07", "7.bak", "3 (copy)"]) await copied(s.of(3), s.of(name));
      await mkdir(s.of("8"));
    },
    told: [],
    next: "base",
    spared: ["notes.txt", "7", "07", "7.bak", "3 (copy)", "8"],
  },
  {
    what: "a folder named as a leftover",
    edit: (s) => copied(s.of(3), s.of(".making-7")),
    told: [/swept \.making-7/],
    apart: /\/\.making-7\//,
  },
  {
    what: "everything made read-only",
    edit: async (s) => execFileSync("chmod", ["-R", "a-w", s.at(made)]),
    told: [],
  },
  { what: "the catalogue deleted", edit: (s) => rm(s.catalogue), told: [] },
  {
    what: "the whole job directory renamed",
    edit: (s) => rename(s.at(made), s.at("renamed")),
    told: [/point 5\b.*gone/],
    lost: all,
    next: "base",
  },
  { what: "the whole job directory copied under another name", edit: (s) => copied(s.at(made), s.at("made.bak")), told: [] },
];

export const edits: readonly Edit[] = [...directories, ...images, ...parents, ...manifests, ...records, ...whole];
