/** Ranges of a file without blocks behind them, in bytes, in order; they read as zeros. Node has no such call: who opens the vault brings it. */
export type Holes = (fd: number, size: number) => readonly { readonly from: number; readonly to: number }[];
