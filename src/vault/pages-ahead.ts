/**
 * Reads the next item while the present one is worked on. `read` is told by `turn` which of two pieces of memory it may fill: the
 * other one is in use. `null` ends it. When the consumer stops early, the read under way is waited for.
 */
export async function* readAhead<T>(read: (turn: 0 | 1) => Promise<T | null>): AsyncGenerator<T, void> {
  let turn: 0 | 1 = 0;
  let next = read(turn);
  try {
    for (;;) {
      const item = await next;
      if (item === null) return;
      turn = turn === 0 ? 1 : 0;
      next = read(turn);
      // It may fail while nobody waits for it; whoever asks for the next item is told.
      next.catch(() => undefined);
      yield item;
    }
  } finally {
    await next.catch(() => undefined);
  }
}
