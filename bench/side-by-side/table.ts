/** One manner of keeping the generations, measured. */
export type Manner = {
  readonly name: string;
  /** Allocated on disk, as `du --block-size=1` counts them. */
  readonly bytes: number;
  /** How many points it has at the end, and how many of them were brought back and found right. */
  readonly points: number;
  readonly back: number;
};

/** The table, with each manner's bytes against those of `unit`. */
export function sideBySide(manners: readonly Manner[], unit: Manner | undefined): string {
  const rows = manners.map((manner) => {
    const { name, bytes, points, back } = manner;
    const ratio = unit === undefined ? "" : (bytes / unit.bytes).toFixed(2);
    return `| ${name} | ${bytes.toLocaleString("en")} | ${ratio} | ${points} | ${back} |`;
  });
  return [
    "| manner | bytes on disk | against the raw chain | points at the end | of them come back right |",
    "|---|---|---|---|---|",
    ...rows,
  ].join("\n");
}
