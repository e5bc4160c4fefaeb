import { workOf } from "../../test/lab/job.ts";
import type { Lab } from "../../test/lab/lab.ts";
import { bringBack, bytesOf, command, goTo, notBack, prepareJob, upTo } from "./program.ts";
import type { Manner } from "./table.ts";

/** What CRIU can be told by hand. `dump` gives the options of generation `n`. */
const ways = {
  full: { name: "raw CRIU, each dump full", dump: () => "" },
  chain: { name: "raw CRIU, a chain (`--track-mem --prev-images-dir`)", dump: (n: number) => `--track-mem ${parent(n)}` },
  dedup: { name: "raw CRIU, the same with `--auto-dedup`", dump: (n: number) => `--track-mem --auto-dedup ${parent(n)}` },
} as const;

const parent = (n: number) => (n === 1 ? "" : `--prev-images-dir ../${n - 1}`);

/**
 * One run of the program, dumped by CRIU at each of its gates; then each point brought back. Its images are removed at the end. Each way has a
 * run of its own: a dump in between would clear the dirty bits that the next one needs.
 */
export async function rawCriu(lab: Lab, way: keyof typeof ways, count: number): Promise<Manner> {
  const { name, dump } = ways[way];
  const [job, images, logs] = [`raw-${way}`, `/vault/raw-${way}`, `/run/raw-${way}`];
  await prepareJob(lab, job);
  await lab.must(`mkdir -p ${images} ${logs}; cd ${workOf(job)}
    setsid sh -c 'echo $$ >pid; exec ${command} </dev/null >>out 2>&1' &`);
  for (const n of upTo(count)) {
    await goTo(lab, job, n);
    // The log and the statistics go elsewhere: the images alone are counted.
    await lab.must(
      `cd ${workOf(job)}; mkdir ${images}/${n}; timeout 200 criu dump --no-default-config --manage-cgroups=ignore -R -t $(cat pid) -D ${images}/${n} -W ${logs} -v2 -o dump.log ${dump(n)} || { grep -E "Error|Warn" ${logs}/dump.log >&2; exit 1; }`,
      240,
    );
  }
  await lab.must(`cd ${workOf(job)}; kill -9 -$(cat pid); while [ -e /proc/$(cat pid) ]; do sleep 0.1; done; mv log log.whole`);
  const bytes = await bytesOf(lab, images);
  const back = await notBack(name, upTo(count), (n) => bringBack(lab, job, `${images}/${n}`, n));
  await lab.must(`rm -rf ${images} ${workOf(job)}`, 240);
  return { name, bytes, points: count, back };
}
