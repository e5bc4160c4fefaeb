import fc from "fast-check";
import type { ZeroPages } from "../../../src/engine/ports.ts";
import { IN_PARENT, LAZY, PAGE, type PageEntry, PRESENT } from "../../../src/images/pagemap.ts";
import { aPage, BASE, pagesOf } from "../../unit/images/specimens.ts";
import type { Memory } from "./image-folders.ts";

/** One memory at one dump: its entries, all PRESENT, with the two letters that fill each page. */
type Seen = { readonly entries: readonly PageEntry[]; readonly letters: readonly (readonly [string, string])[] };

/** The dumps of a life: per dump the memories, `null` for one that is not there then; whether dumps are made with tracking. */
export type Story = {
  readonly dumps: readonly { readonly [Name in (typeof names)[number]]: Seen | null }[];
  readonly tracked: boolean;
};

const names = ["pagemap-300.img", "pagemap-301.img", "pagemap-shmem-65539.img"] as const;

const seen: fc.Arbitrary<Seen> = fc
  .array(
    fc.record({
      gap: fc.nat(2),
      // A page of two zero bytes is full of them.
      letters: fc.array(fc.tuple(fc.constantFrom("a", "a", "b", "\0", "\0"), fc.constantFrom("a", "a", "a", "z", "\0", "\0")), {
        minLength: 1,
        maxLength: 5,
      }),
      lazy: fc.boolean(),
    }),
    { maxLength: 6 },
  )
  .map((steps) => {
    let page = BASE;
    const entries = steps.map(({ gap, letters, lazy }) => {
      page += gap + letters.length;
      return { page: page - letters.length, pages: letters.length, flags: lazy ? PRESENT | LAZY : PRESENT };
    });
    return { entries, letters: steps.flatMap(({ letters }) => letters) };
  });

const perhaps = fc.option(seen, { freq: 4 });

/** So many dumps of up to three memories that come, go and change, often back to what they were. */
export function storiesOf(minLength: number, maxLength: number): fc.Arbitrary<Story> {
  const dump = fc.record(
    Object.fromEntries(names.map((name) => [name, perhaps])) as Record<(typeof names)[number], typeof perhaps>,
  );
  return fc.record({ dumps: fc.array(dump, { minLength, maxLength }), tracked: fc.boolean() });
}

export const stories = storiesOf(2, 4);

/** The full dump number `k`, as if there were no parent. Ids of pages files differ from dump to dump, as CRIU's do. */
export function fullDump({ dumps }: Story, k: number): readonly Memory[] {
  return names.flatMap((name, i) => {
    const memory = dumps[k]?.[name];
    if (!memory) return [];
    return [{ name, pagesId: 1 + ((i + k) % names.length), entries: memory.entries, bytes: bytesOf(memory) }];
  });
}

/**
 * The same dump as `--track-mem` would write it on dump `k - 1`: private pages that did not change since are left to the parent (or
 * some of them: dirty bits may be set for nothing).
 */
export function trackedDump(story: Story, k: number): readonly Memory[] {
  return fullDump(story, k).map((memory) => {
    const before = story.dumps[k - 1]?.[memory.name as (typeof names)[number]];
    if (!story.tracked || !before || memory.name.includes("shmem")) return memory;
    const old = new Map(pagesOf(before.entries).map((page, i) => [page, bytesOf(before).subarray(i * PAGE, (i + 1) * PAGE)]));
    const entries: PageEntry[] = [];
    const kept: Buffer[] = [];
    let at = 0;
    for (const { page, pages, flags } of memory.entries) {
      for (let i = 0; i < pages; i++, at += PAGE) {
        const bytes = memory.bytes.subarray(at, at + PAGE);
        const clean = old.get(page + i)?.equals(bytes) === true && (page + i) % 3 !== 0;
        entries.push({ page: page + i, pages: 1, flags: clean ? IN_PARENT : flags });
        if (!clean) kept.push(bytes);
      }
    }
    return { ...memory, entries, bytes: Buffer.concat(kept) };
  });
}

/** May pages full of zeros be left out of the generations of this story? */
export function zerosOf({ tracked }: Story): ZeroPages {
  return tracked ? "left-out-of-shared" : "left-out";
}

function bytesOf({ letters }: Seen): Buffer {
  return Buffer.concat(letters.map(([letter, last]) => aPage(letter, last)));
}
