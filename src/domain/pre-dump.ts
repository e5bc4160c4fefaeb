/** How CRIU makes a pre-dump: `read` copies the pages after the thaw, `splice` queues them in pipes while the job stands still. */
export type PreDumpMode = "read" | "splice";

/** One round: pages of 4 KiB that it wrote, and how long the job stood still for it, microseconds. */
export type PreDumpRound = { readonly pages: number; readonly freezeMicros: number };
