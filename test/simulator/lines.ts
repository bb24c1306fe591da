/** Comparing answers as lists of lines: order means nothing, and the first difference is told. */

/** @throws Error with the lines that only one side has. */
export function assertLines(what: string, got: readonly string[], want: readonly string[]): void {
  if (got.length === want.length && got.every((line, at) => line === want[at])) return;
  const [sortedGot, sortedWant] = [got.toSorted(), want.toSorted()];
  if (sortedGot.length === sortedWant.length && sortedGot.every((line, at) => line === sortedWant[at])) return;
  throw new Error(`${what}: ${difference(sortedGot, sortedWant)}`);
}

/** As {@link assertLines}, and in this order. */
export function assertOrdered(what: string, got: readonly string[], want: readonly string[]): void {
  assertLines(what, got, want);
  const at = got.findIndex((line, place) => line !== want[place]);
  if (at >= 0) throw new Error(`${what}: line ${at} is out of order: ${got[at]}, not ${want[at]}`);
}

export function assertEqual(what: string, got: unknown, want: unknown): void {
  const [left, right] = [text(got), text(want)];
  if (left !== right) throw new Error(`${what}: got ${left}, want ${right}`);
}

/** JSON with whole numbers of any size. */
export function text(value: unknown): string {
  return JSON.stringify(value, (_, part) => (typeof part === "bigint" ? `${part}` : part)) ?? "undefined";
}

const SHOWN_MAX = 3;

function difference(got: readonly string[], want: readonly string[]): string {
  const only = (a: readonly string[], b: readonly string[]): string => {
    const left = new Map<string, number>();
    for (const line of b) left.set(line, (left.get(line) ?? 0) + 1);
    const missing = a.filter((line) => {
      const count = left.get(line) ?? 0;
      if (count > 0) left.set(line, count - 1);
      return count === 0;
    });
    return missing.length === 0 ? "nothing" : `${missing.length}: ${missing.slice(0, SHOWN_MAX).join(" ; ")}`;
  };
  return `only in the answer ${only(got, want)} | only in the oracle ${only(want, got)}`;
}
