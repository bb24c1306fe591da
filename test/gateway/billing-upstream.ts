/**
 * An upstream whose every answer uses what its call may use at most, so that a budget can be spent to the last cent:
 * a call of {@link CALL} costs a tenth of a cent by {@link PRICES}.
 */

import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** What the gateway reserves beside the bytes of a body. */
const ADDED_TOKENS = 1_024;
const PROMPT_TOKENS = 2_000;
const COMPLETION_TOKENS = 50;
export const MODEL = "metered";

const bare = JSON.stringify({ model: MODEL, max_tokens: COMPLETION_TOKENS, messages: [], user: "" });
/** The body of a call, filled up to its number of bytes. */
export const CALL: string = bare.replace(
  '"user":""',
  `"user":"${"x".repeat(PROMPT_TOKENS - ADDED_TOKENS - bare.length)}"`,
);

export const CALL_NANO_USD = 1_000_000n;
export const PRICES = `currency: USD
multipliers: { batch: "0.5", cachedInput: "0.1", restrictedPlacement: "1.5", source: test }
prices:
  - match: { model: ${MODEL} }
    perMillionTokens: { input: "0.25", output: "10" }
    effectiveFrom: 2026-01-01T00:00:00Z
    source: test
`;

export interface BillingUpstream {
  readonly url: string;
  /** Calls that came, those being answered, and those that were answered with usage. */
  readonly seen: { calls: number; underWay: number; underWayMax: number; answered: number };
  close(): void;
}

/** @param failsEvery one call in so many gets a 500 and uses nothing. */
export async function startBillingUpstream(failsEvery: number): Promise<BillingUpstream> {
  const seen = { calls: 0, underWay: 0, underWayMax: 0, answered: 0 };
  const server: Server = createServer((request, answer) => {
    let bytes = 0;
    request.on("data", (part: Buffer) => {
      bytes += part.length;
    });
    request.on("end", () => {
      seen.calls += 1;
      const id = `call-${seen.calls}`;
      const fails = seen.calls % failsEvery === 0;
      if (!fails) {
        seen.underWay += 1;
        seen.underWayMax = Math.max(seen.underWayMax, seen.answered + seen.underWay);
      }
      setTimeout(() => {
        if (fails) {
          answer.writeHead(500, { "content-type": "application/json" }).end('{"error":{"message":"not now"}}');
          return;
        }
        seen.underWay -= 1;
        seen.answered += 1;
        const usage = { prompt_tokens: bytes + ADDED_TOKENS, completion_tokens: COMPLETION_TOKENS };
        answer.writeHead(200, { "content-type": "application/json" });
        answer.end(JSON.stringify({ id, model: MODEL, choices: [], usage }));
      }, seen.calls % 5);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
