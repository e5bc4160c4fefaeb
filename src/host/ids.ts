import { randomBytes } from "node:crypto";
import type { Ids } from "../engine/ports.ts";

/** 128 bits from the kernel's generator. */
export const machineIds: Ids = { random: () => randomBytes(16).toString("hex") };
