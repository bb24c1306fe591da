/** A step of the benchmark, told on stderr. */

import { SingleBar } from "cli-progress";

/** Runs a step with a bar on a terminal, else a line. */
export async function step<T>(
  name: string,
  total: number,
  work: (add: (count: number) => void) => Promise<T>,
): Promise<T> {
  const bar = process.stderr.isTTY ? new SingleBar({ format: `${name} [{bar}] {value}/{total}` }) : undefined;
  if (bar) bar.start(total, 0);
  else process.stderr.write(`${name}\n`);
  try {
    return await work((count) => bar?.increment(count));
  } finally {
    bar?.stop();
  }
}
