import { openCatalogue } from "../../../../src/catalogue/open.ts";
import { aJob } from "../../../contract/catalogue-values.ts";
import { begin, say } from "./begin.ts";

/** Opens the catalogue, made or migrated if need be, and puts one job into it. */
const [file = "", name = "", migrations = ""] = await begin();
const { catalogue } = await openCatalogue({ file, ...(migrations !== "" && { migrations }) });
await catalogue.putJob(aJob(name));
await catalogue.close();
say("done");
