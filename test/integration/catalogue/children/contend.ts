import { closeSync, openSync, unlinkSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import { openCatalogue } from "../../../../src/catalogue/open.ts";
import { begin, say } from "./begin.ts";

/** Takes the lease a number of times. While it has it, it makes a file that must not be there: two holders at once would meet. */
const [file = "", inside = "", times = ""] = await begin();
const { catalogue } = await openCatalogue({ file });
const owner = { pid: process.pid, startTicks: 0, bootId: "this" };
let refusals = 0;
for (let won = 0; won < Number(times);) {
  const token = `${process.pid}-${won}-${refusals}`;
  const answer = await catalogue.acquireLease({ name: "job:lj", token, owner, verb: "take", expiresAt: 100 }, 0, () => true);
  if (answer.granted) {
    closeSync(openSync(inside, "wx"));
    await wait(2);
    unlinkSync(inside);
    await catalogue.releaseLease("job:lj", token);
    won += 1;
  } else {
    refusals += 1;
    await wait(1);
  }
}
await catalogue.close();
say(`refused ${refusals}`);
