import type { Generation } from "./generation.ts";

/** The generation and all it stands on, itself first, by number; ends at one that is not among `generations`. */
export function chainBelow(number: number, generations: readonly Pick<Generation, "number" | "parent">[]): readonly number[] {
  const parents = new Map(generations.map((one) => [one.number, one.parent]));
  const chain = [number];
  // Parents' numbers are lower; a ring made by hand ends here too.
  for (let at = parents.get(number) ?? null; at !== null && !chain.includes(at); at = parents.get(at) ?? null) chain.push(at);
  return chain;
}
