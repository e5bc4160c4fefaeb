import { expect } from "vitest";
import { proveForty } from "./forty-selfcheck.ts";

proveForty({
  name: "forks",
  law: "processes that are born and die between them",
  lived: (log) => {
    const pids = Array.from(log.matchAll(/^born (\d+) /gm), (found) => found[1]);
    expect(pids.length).toBeGreaterThan(40);
    // Other processes under a pid that an older generation holds the memory of.
    expect(pids.length - new Set(pids).size).toBeGreaterThan(20);
  },
});
