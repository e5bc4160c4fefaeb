import type { JobName } from "../domain/job.ts";
import type { Catalogue } from "../engine/ports.ts";
import type { Connection } from "./connection.ts";

/**
 * The same catalogue, with the answers kept that the service asks for every second, until something is written: SQLite tells whether another
 * connection has (`pragma data_version`, three microseconds), and what is written through this one is seen here. An idle service so reads no row twice.
 */
export function remembering(catalogue: Omit<Catalogue, "changes">, connection: Connection): Catalogue {
  const answers = new Map<string, Promise<unknown>>();
  let version: number | undefined;
  let ownWrites = 0;

  const changes = (): string => {
    const found = connection.first<{ data_version: number }>("pragma data_version")?.data_version;
    if (found !== version) answers.clear();
    version = found;
    return `${found} ${ownWrites}`;
  };
  const kept = async <T>(question: string, ask: () => Promise<T>): Promise<T> => {
    changes();
    const known = answers.get(question) as Promise<T> | undefined;
    if (known !== undefined) return known;
    const answer = ask();
    // Before it is there: what is written meanwhile throws it away.
    answers.set(question, answer);
    // One that fails is not kept: the next may succeed.
    answer.catch(() => answers.delete(question));
    return answer;
  };
  const writing = <Words extends readonly unknown[], T>(write: (...words: Words) => Promise<T>) => {
    return async (...words: Words): Promise<T> => {
      ownWrites += 1;
      answers.clear();
      return write(...words);
    };
  };

  return {
    ...catalogue,
    changes: async () => changes(),
    jobs: () => kept("jobs", catalogue.jobs),
    dues: () => kept("dues", catalogue.dues),
    newestRun: (name: JobName) => kept(`run ${name}`, () => catalogue.newestRun(name)),
    newestByRows: (name: JobName) => kept(`newest ${name}`, () => catalogue.newestByRows(name)),
    putJob: writing(catalogue.putJob),
    removeJob: writing(catalogue.removeJob),
    putRun: writing(catalogue.putRun),
    putGeneration: writing(catalogue.putGeneration),
    removeGeneration: writing(catalogue.removeGeneration),
    markGeneration: writing(catalogue.markGeneration),
    replaceAll: writing(catalogue.replaceAll),
    async putDue(due) {
      answers.delete("dues");
      return catalogue.putDue(due);
    },
  };
}
