import { pino, type Logger } from "pino";

export type Log = Pick<Logger, "info" | "warn" | "error" | "debug">;

/**
 * JSON lines on standard output, one writer for each thread, written at once so that a thread that ends loses none.
 * Event names (`event`) are stable: `took`, `take-failed`, `missed`, `run-ended`, `service-started` ...
 */
export function openLog(level: string, base: Readonly<Record<string, unknown>>): Log {
  return pino({ level, base, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination({ fd: 1, sync: true }));
}

/** For the command line, which speaks for itself. */
export const silentLog: Log = pino({ level: "silent" });
