/** The one of `words` that `word` was most likely meant to be, for a "did you mean"; `null` if none is near. */
export function nearest(word: string, words: readonly string[]): string | null {
  const [best] = words.map((other) => ({ other, distance: distance(word, other) })).toSorted((a, b) => a.distance - b.distance);
  return best && best.distance <= Math.max(1, Math.floor(word.length / 3)) ? best.other : null;
}

/** Letters to add, to drop, to change, or neighbours to swap (optimal string alignment). */
function distance(from: string, to: string): number {
  const rows: number[][] = [Array.from({ length: to.length + 1 }, (_, column) => column)];
  const at = (row: number, column: number) => rows[row]?.[column] ?? row + column;
  for (let row = 1; row <= from.length; row += 1) {
    rows.push([row]);
    for (let column = 1; column <= to.length; column += 1) {
      const isSame = from[row - 1] === to[column - 1];
      const isSwap = row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      const ways = [at(row - 1, column) + 1, at(row, column - 1) + 1, at(row - 1, column - 1) + (isSame ? 0 : 1)];
      rows[row]?.push(Math.min(...ways, ...(isSwap ? [at(row - 2, column - 2) + 1] : [])));
    }
  }
  return at(from.length, to.length);
}
