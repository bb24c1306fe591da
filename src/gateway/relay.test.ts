import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, get, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { PassThrough } from "node:stream";
import { type TestContext, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { meterFor } from "./answer-meter.ts";
import { CallWatch } from "./call-watch.ts";
import { relay } from "./relay.ts";
import { routeOf } from "./routes-table.ts";

interface Relayed {
  /** What the upstream sends. */
  readonly body: PassThrough;
  /** What the client has so far. */
  received(): string;
  /** Resolves when the client has this. */
  until(expected: string): Promise<void>;
  /** How the client's answer ended: true when it was whole. */
  readonly ended: Promise<boolean>;
  /** The usage is on disk, or could not be put there. */
  settle(isOnDisk: boolean): void;
}

/** An answer on its way through a real server, whose usage comes to disk when the test says so. */
async function relayed(t: TestContext, contentType: string): Promise<Relayed> {
  const body = new PassThrough();
  const disk = Promise.withResolvers<boolean>();
  const server = createServer((_, client) => {
    const watch = new CallWatch(client, { onClientGone: "finish" });
    const meter = meterFor({ route: routeOf("POST", "chat/completions")!, contentType, hidesUsage: false });
    const beginNow = (): void => {
      if (!client.headersSent) client.writeHead(200);
    };
    const begin = (): boolean => {
      beginNow();
      return true;
    };
    void relay({ client, body, meter, watch, idleMs: 1000, begin, beginNow, settle: () => disk.promise });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const call = get({ port: (server.address() as AddressInfo).port, host: "127.0.0.1", agent: false });
  let text = "";
  const ended = once(call, "response").then(async ([answer]: IncomingMessage[]) => {
    answer!.setEncoding("utf8").on("data", (part: string) => {
      text += part;
    });
    await new Promise((resolve) => answer!.on("error", () => {}).on("close", resolve));
    return answer!.complete;
  });
  const until = async (expected: string): Promise<void> => {
    while (text !== expected) await pause(1);
  };
  return { body, received: () => text, until, ended, settle: disk.resolve };
}

/** Held back, bytes would not arrive in this time either; not held back, they may take longer on a busy machine. */
const HELD_MS = 60;
const CONTENT = 'data: {"id":"c","choices":[{}]}\n\n';
const USAGE = 'data: {"id":"c","choices":[],"usage":{"prompt_tokens":1}}\n\n';
const DONE = "data: [DONE]\n\n";

test("a stream goes on at once, but its last event waits for the disk", async (t) => {
  const { body, received, until, ended, settle } = await relayed(t, "text/event-stream");
  body.write(CONTENT);
  await until(CONTENT);
  body.write(USAGE);
  await until(CONTENT + USAGE);
  body.end(DONE);
  await pause(HELD_MS);
  assert.equal(received(), CONTENT + USAGE);
  settle(true);
  assert.equal(await ended, true);
  assert.equal(received(), CONTENT + USAGE + DONE);
});

test("an answer in JSON waits with its last bytes", async (t) => {
  const { body, received, until, ended, settle } = await relayed(t, "application/json");
  body.write('{"id":"c",');
  await pause(HELD_MS);
  body.end('"usage":{"prompt_tokens":1}}');
  await until('{"id":"c",');
  await pause(HELD_MS);
  assert.equal(received(), '{"id":"c",');
  settle(true);
  assert.equal(await ended, true);
  assert.equal(received(), '{"id":"c","usage":{"prompt_tokens":1}}');
});

for (const contentType of ["text/event-stream", "application/json"]) {
  test(`${contentType}: where the usage cannot be put on disk, the answer is never whole`, async (t) => {
    const { body, received, until, ended, settle } = await relayed(t, contentType);
    const isStream = contentType === "text/event-stream";
    body.write(isStream ? CONTENT : '{"id":"c",');
    await pause(HELD_MS);
    body.end(isStream ? DONE : '"usage":{}}');
    await until(isStream ? CONTENT : '{"id":"c",');
    await pause(HELD_MS);
    settle(false);
    assert.equal(await ended, false);
    assert.equal(received(), isStream ? CONTENT : '{"id":"c",');
  });
}
