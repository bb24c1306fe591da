/** Whether the engines that an installation needs answer: asked when somebody wants to know, by one question at a time. */

import { Fault, unavailable } from "./domain/fault.ts";

/** An engine that may be away. */
export interface Needed {
  /** Such as "the ledger". */
  readonly name: string;
  /** @throws Fault `unavailable`, or whatever else keeps it from answering. */
  ready(): Promise<void>;
}

/** An engine that is busy is no engine that is away. */
const ANSWER_MS_MAX = 5_000;
/** So long an answer holds, however many ask. */
const HOLDS_MS = 500;

export class Readiness {
  readonly #needed: readonly Needed[];
  #asked: { readonly at: number; readonly answer: Promise<void> } | undefined;

  constructor(needed: readonly Needed[]) {
    this.#needed = needed;
  }

  /** Resolves when all of them answer. @throws Fault `unavailable` that names those that do not. */
  check(): Promise<void> {
    const now = performance.now();
    if (this.#asked && now - this.#asked.at < HOLDS_MS) return this.#asked.answer;
    const answer = this.#ask();
    // Who asks while an engine is silent gets the answer that is under way.
    const asked = { at: Number.POSITIVE_INFINITY, answer };
    this.#asked = asked;
    const settle = (): void => {
      if (this.#asked === asked) this.#asked = { at: performance.now(), answer };
    };
    answer.then(settle, settle);
    return answer;
  }

  async #ask(): Promise<void> {
    const reasons = await Promise.all(this.#needed.map(whyNot));
    const away = reasons.filter((reason) => reason !== undefined);
    if (away.length > 0) throw unavailable(away.join("; "));
  }
}

async function whyNot({ name, ready }: Needed): Promise<string | undefined> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`no answer in ${ANSWER_MS_MAX / 1_000} s`)), ANSWER_MS_MAX);
  try {
    await Promise.race([ready(), late]);
    return undefined;
  } catch (error) {
    if (error instanceof Fault) return String(error.problems[0].facts.reason ?? error.message);
    return `${name}: ${(error as Error).message}`;
  } finally {
    clearTimeout(timer);
  }
}
