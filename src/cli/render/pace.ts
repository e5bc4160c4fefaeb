/** How far a piece of work is at one moment; `ms` from a clock that never goes back. */
export type Sample = { readonly bytes: number; readonly total: number; readonly ms: number };

/** The rate is that of this last stretch: long enough to be steady, short enough to follow a disk that slows down. */
const stretchMilliseconds = 15_000;
/** Before that nothing is said: the first blocks come out of caches. */
const leastMilliseconds = 1_000;
/** Samples nearer to each other than this say the same. */
const apartMilliseconds = 200;

/** How fast a piece of work goes, from what is told of it; pure but for what it remembers. */
export class Pace {
  last: Sample | null = null;
  #kept: Sample[] = [];

  /** A total or an amount that goes back is another piece of work: what was before is forgotten. */
  add(sample: Sample): void {
    if (this.last && (sample.bytes < this.last.bytes || sample.total !== this.last.total)) this.#kept = [];
    const before = this.#kept.at(-1);
    if (!before || sample.ms - before.ms >= apartMilliseconds) this.#kept.push(sample);
    // One older than the stretch is kept: it is where the stretch begins.
    while (this.#kept[1] && sample.ms - this.#kept[1].ms >= stretchMilliseconds) this.#kept.shift();
    this.last = sample;
  }

  /** `null`: too early to tell, or it stands still. */
  get bytesPerSecond(): number | null {
    const [first] = this.#kept;
    if (!first || !this.last || this.last.ms - first.ms < leastMilliseconds || this.last.bytes <= first.bytes) return null;
    return ((this.last.bytes - first.bytes) * 1000) / (this.last.ms - first.ms);
  }

  get secondsLeft(): number | null {
    const rate = this.bytesPerSecond;
    return rate === null || this.last === null ? null : Math.max(0, this.last.total - this.last.bytes) / rate;
  }
}
