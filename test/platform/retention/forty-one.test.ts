import { expect } from "vitest";
import { proveForty } from "./forty-selfcheck.ts";

proveForty({
  name: "one",
  law: "one process",
  lived: (log) => expect(log).not.toMatch(/^(born|exec)/m),
});
