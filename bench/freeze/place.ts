/** One generation: how long the job stood still for the dump, and for each pre-dump before it; milliseconds. */
export type Freeze = { readonly dump: number; readonly before: readonly number[] };

/** Where the generations are taken: on this machine, or in the lab. */
export type Place = {
  readonly name: string;
  /** What the peer is called, and whether its dumps stand on one another. */
  readonly peer: string;
  /** Starts the program of `bench/freeze.ts` by itself; resolves when its memory is filled. */
  start(percent: number): Promise<PlainJob>;
  /** The same under Holdfast. */
  guard(percent: number): Promise<GuardedJob>;
};

export type PlainJob = {
  /** One dump as the plain loop makes it, on the one before where the kernel can. */
  dump(): Promise<Freeze>;
  end(): Promise<void>;
};

export type GuardedJob = { take(): Promise<Freeze>; end(): Promise<void> };

/** How large the job is, and in how many seconds it writes its share; the time from one generation to the next. */
export type Size = { readonly mebibytes: number; readonly seconds: number };

/** A take's report, as far as it tells of freezes. */
export type TakeDocument = { readonly freezeMicros: number; readonly preDumps: readonly { readonly freezeMicros: number }[] };

export function freezeOf({ freezeMicros, preDumps }: TakeDocument): Freeze {
  return { dump: freezeMicros / 1000, before: preDumps.map((round) => round.freezeMicros / 1000) };
}
