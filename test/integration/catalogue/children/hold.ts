import { openCatalogue } from "../../../../src/catalogue/open.ts";
import { begin, say, stopForGood } from "./begin.ts";

/** Takes the lease and stays alive with it. */
const [file = ""] = await begin();
const { catalogue } = await openCatalogue({ file });
const owner = { pid: process.pid, startTicks: 7, bootId: "this" };
await catalogue.acquireLease({ name: "job:lj", token: "child", owner, verb: "restore", expiresAt: 100 }, 0, () => true);
say("held");
stopForGood();
