import { expect } from "vitest";
import { proveForty } from "./forty-selfcheck.ts";

proveForty({
  name: "shared",
  law: "two processes over shared memory of four kinds",
  lived: (log) => expect(log.match(/^born /gm)?.length).toBeGreaterThan(10),
});
