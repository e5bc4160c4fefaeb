import { expect } from "vitest";
import { proveForty } from "./forty-selfcheck.ts";

proveForty({
  name: "exec",
  law: "a parent and a child that become other programs by exec between them",
  lived: (log) => expect(log.match(/^exec /gm)?.length).toBeGreaterThan(10),
});
