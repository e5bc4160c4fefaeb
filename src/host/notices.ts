import { execa } from "execa";
import type { Notice, NoticeEvent, Notices } from "../engine/ports.ts";
import type { Log } from "./log.ts";

/** A hook that hangs is ended after this; nothing waits for it meanwhile. */
const timeoutMilliseconds = 30_000;

/**
 * Runs the command that the settings name for an event, with the notice as one line of JSON on its standard input. It is started in a
 * session of its own and not waited for: what it does, and that it fails, is none of the job's business.
 */
export function openNotices(commands: Readonly<Record<NoticeEvent, readonly string[]>>, log: Log): Notices {
  return {
    async tell(notice) {
      const [file, ...words] = commands[notice.event];
      if (file === undefined) return;
      const input = `${JSON.stringify(jsonOf(notice))}\n`;
      const child = execa(file, words, {
        input,
        stdout: "ignore",
        stderr: "ignore",
        detached: true,
        reject: false,
        timeout: timeoutMilliseconds,
        cwd: "/",
      });
      void child.then((done) => {
        if (done.failed) log.warn({ event: "notice-failed", notice: notice.event, job: notice.job }, done.shortMessage);
      });
    },
  };
}

/** As `docs/reference/notices.md` shows it. */
function jsonOf({ at, ...notice }: Notice): Record<string, unknown> {
  return { ...notice, time: new Date(at).toISOString() };
}
