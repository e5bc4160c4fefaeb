import { openCatalogue } from "../../../../src/catalogue/open.ts";
import { aGeneration, aJob } from "../../../contract/catalogue-values.ts";
import { begin, say, stopForGood } from "./begin.ts";

/** Stops for good in the middle of one transaction, its first rows written. */
const [file = "", transaction = ""] = await begin();
const { catalogue } = await openCatalogue({ file });

if (transaction === "replace") {
  await catalogue.replaceAll({
    jobs: [aJob("new")],
    runs: [],
    get generations() {
      say("inside");
      return stopForGood();
    },
  });
}
if (transaction === "lease") {
  const owner = { pid: process.pid, startTicks: 0, bootId: "this" };
  await catalogue.acquireLease({ name: "job:lj", token: "child", owner, verb: "take", expiresAt: 100 }, 0, () => {
    say("inside");
    return stopForGood();
  });
}
// Ends between two rounds of a loop or within one: whatever moment the parent picks.
for (let round = 0; transaction === "loop"; round += 1) {
  const bytes = round;
  const generations = Array.from({ length: 40 }, (_, at) => aGeneration("lj", at + 1, { bytes }));
  await catalogue.replaceAll({ jobs: [aJob("lj", { maxChain: round })], runs: [], generations });
  if (round === 3) say("inside");
}
