import { readStatsDump } from "../../src/images/stats-dump.ts";
import { workOf } from "../../test/lab/job.ts";
import type { Lab } from "../../test/lab/lab.ts";
import { freezeOf, type Place, type Size, type TakeDocument } from "./place.ts";

const program = "/opt/holdfast/programs/dirty";

/** The lab machine: its kernel has soft-dirty, so the plain loop is a chain of `criu dump --track-mem`. */
export function labPlace(lab: Lab, { mebibytes, seconds }: Size, more: string): Place {
  const words = (percent: number) => `${program} ${mebibytes} ${percent} ${seconds}`;
  const ready = (folder: string) =>
    `for i in $(seq 3000); do [ -e ${folder}/ready ] && exit 0; sleep 0.1; done; echo "its memory is not filled" >&2; exit 1`;
  return {
    name: `in the lab${more === "" ? "" : ` (${more})`}`,
    peer: "`criu dump --leave-running --track-mem --prev-images-dir`, each on the one before",
    async start(percent) {
      const [folder, images] = [workOf(`plain-${percent}`), `/vault/plain-${percent}`];
      await lab.must(
        `mkdir -p ${folder} ${images}; cd ${folder}
        setsid sh -c 'echo $$ >pid; exec ${words(percent)} </dev/null >out 2>&1' &
        ${ready(folder)}`,
        400,
      );
      let n = 0;
      return {
        async dump() {
          n += 1;
          const parent = n === 1 ? "" : `--prev-images-dir ../${n - 1}`;
          const told = await lab.must(
            `cd ${folder}; mkdir ${images}/${n}
              criu dump --no-default-config --manage-cgroups=ignore -R -t $(cat pid) -D ${images}/${n} -v2 -o dump.log --track-mem ${parent} || { grep Error ${images}/${n}/dump.log >&2; exit 1; }
              base64 -w0 ${images}/${n}/stats-dump`,
            400,
          );
          return { dump: readStatsDump(Buffer.from(told.trim(), "base64"), "stats-dump").frozenTime / 1000, before: [] };
        },
        end: async () => void (await lab.must(`kill -9 $(cat ${folder}/pid); rm -rf ${folder} ${images}; sync`, 240)),
      };
    },
    async guard(percent) {
      const job = `guarded-${percent}`;
      const folder = workOf(job);
      await lab.must(`mkdir -p ${folder}`);
      const { initPid } = await lab.json<{ initPid: number }>(
        `run --name ${job} --cwd ${folder} --every never --keep all ${more} -- ${words(percent)}`,
      );
      await lab.must(ready(folder), 400);
      return {
        // Longer than `lab.json` waits: half a GiB takes its time under emulation.
        take: async () => freezeOf(JSON.parse(await lab.must(`holdfast take ${job} --json`, 900)) as TakeDocument),
        end: async () =>
          void (await lab.must(`kill -9 ${initPid}; rm -rf ${folder} /vault/holdfast/jobs/${job}/generations; sync`, 240)),
      };
    },
  };
}
