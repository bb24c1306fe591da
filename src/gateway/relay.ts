/** Hands an answer on to the client, byte by byte, and holds its last bytes back until its usage is on disk. */

import type { ServerResponse } from "node:http";
import type { Readable } from "node:stream";
import type { AnswerMeter } from "./answer-meter.ts";
import type { CallWatch } from "./call-watch.ts";
import { isTimeout } from "./upstreams.ts";
import type { Ending } from "./usage-event.ts";

export interface RelayParts {
  readonly client: ServerResponse;
  readonly body: Readable;
  readonly meter: AnswerMeter | undefined;
  readonly watch: CallWatch;
  /** Milliseconds for which a client may take nothing. */
  readonly idleMs: number;
  /** Sends the status and headers, if the answer has told by now what they need; true once they are sent. */
  begin(): boolean;
  /** Sends them as they are. */
  beginNow(): void;
  /** Puts the usage on disk. False when that failed and the answer must not be whole without it. */
  settle(ending: Ending): Promise<boolean>;
}

const NOTHING: Buffer = Buffer.alloc(0);
/** A client is not left without headers for longer, when an upstream is slow after its own. */
const HEAD_MS_MAX = 250;
/** Nor for more bytes, when the answer does not tell its id. */
const HEAD_BYTES_MAX = 64 * 1024;

/** Resolves when the answer has ended, one way or the other; throws nothing. */
export async function relay(parts: RelayParts): Promise<Ending> {
  const { client, body, meter, watch, idleMs, begin, beginNow, settle } = parts;
  const lateHead = setTimeout(() => {
    beginNow();
    if (!client.destroyed) client.flushHeaders();
  }, HEAD_MS_MAX);
  /** What waits: for the headers, and behind them one chunk of an answer that is no stream. */
  let waiting: Buffer = NOTHING;
  let mayLeave: boolean | undefined;
  let ending: Ending = "whole";
  try {
    for await (const chunk of body) {
      const bytes = meter ? meter.feed(chunk as Buffer) : (chunk as Buffer);
      if (meter?.isLast) mayLeave ??= await settle("whole");
      if (mayLeave === false) break;
      const isWaiting = !begin() && waiting.length + bytes.length <= HEAD_BYTES_MAX;
      if (isWaiting) {
        waiting = Buffer.concat([waiting, bytes]);
        continue;
      }
      beginNow();
      await write(client, waiting, idleMs);
      if (meter?.isLast) joinWrites(client);
      const goesAtOnce = !meter || meter.isStream;
      waiting = goesAtOnce ? NOTHING : bytes;
      if (goesAtOnce) await write(client, bytes, idleMs);
    }
    meter?.end();
  } catch (error) {
    ending = watch.stopped ?? (isTimeout(error as Error) ? "upstream_timeout" : "upstream_cut");
  }
  clearTimeout(lateHead);
  mayLeave ??= await settle(ending);
  beginNow();
  const rest = meter ? Buffer.concat([waiting, meter.rest()]) : waiting;
  finish(client, { rest, mayLeave, isWhole: ending === "whole" });
  return ending;
}

/** Ends the answer; one that was cut is cut for the client, too, behind all that there was of it. */
function finish(client: ServerResponse, how: { rest: Buffer; mayLeave: boolean; isWhole: boolean }): void {
  const { rest, mayLeave, isWhole } = how;
  if (client.destroyed) return;
  if (mayLeave && isWhole) {
    client.end(rest);
    return;
  }
  client.flushHeaders();
  if (mayLeave) client.write(rest);
  // In the same turn the server would still keep these bytes to itself, and lose them.
  setImmediate(() => client.socket?.destroySoon());
}

/** What is written in this turn of the event loop leaves together: an upstream's last event and its end mostly come so. */
function joinWrites(client: ServerResponse): void {
  client.cork();
  setImmediate(() => {
    if (!client.writableEnded) client.uncork();
  });
}

/** Writes, and waits while the client takes no more; one that takes nothing for `idleMs` is cut off. */
async function write(client: ServerResponse, bytes: Buffer, idleMs: number): Promise<void> {
  if (bytes.length === 0 || client.destroyed || client.write(bytes)) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(() => client.destroy(), idleMs);
  client.once("drain", resolve).once("close", resolve);
  await promise;
  clearTimeout(timer);
  client.off("drain", resolve).off("close", resolve);
}
