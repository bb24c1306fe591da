/** Answers of upstreams as they are on the wire, for the upstream of these tests to replay. The model names the answer. */

import type { IncomingMessage, ServerResponse } from "node:http";

/** A request as the upstream got it. */
export interface Got {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
  /** The JSON body; an empty object for any other. */
  readonly json: Readonly<Record<string, unknown>>;
}

export type Replay = (got: Got, answer: ServerResponse) => void | Promise<void>;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function json(body: object, headers: Record<string, string> = {}, status = 200): Replay {
  const text = JSON.stringify(body);
  return (_, answer) => {
    answer.writeHead(status, {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(text),
      ...headers,
    });
    answer.end(text);
  };
}

const EVENT_STREAM = { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache" };

/** Sends a text in pieces of a few bytes, so that they end anywhere: in an escape, in a character, in a line's end. */
async function inPieces(answer: ServerResponse, text: string, bytes: number): Promise<void> {
  const all = Buffer.from(text);
  for (let at = 0; at < all.length; at += bytes) {
    if (answer.destroyed) return;
    answer.write(all.subarray(at, at + bytes));
    await new Promise(setImmediate);
  }
}

export function data(...events: readonly object[]): string {
  return events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("");
}

type NamedEvent = Readonly<Record<string, unknown>> & { readonly type: string };

function named(...events: readonly NamedEvent[]): string {
  return events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join("");
}

const DONE = "data: [DONE]\n\n";

function chunk(model: string, id: string, choices: readonly object[], more: object = {}): object {
  return {
    id,
    object: "chat.completion.chunk",
    created: 1_790_000_000,
    model,
    system_fingerprint: "fp_1",
    choices,
    ...more,
  };
}

const WORDS = [
  '{"usage":null}',
  ' said "hi" \\',
  " 你好 🌍\n\n",
  "data: [DONE]\n\n",
  ',"choices":[],"usage":{"prompt_tokens":7}',
  ".",
];
const CHAT_USAGE = {
  prompt_tokens: 1117,
  completion_tokens: 46,
  total_tokens: 1163,
  prompt_tokens_details: { cached_tokens: 1024, audio_tokens: 0 },
  completion_tokens_details: { reasoning_tokens: 20, audio_tokens: 0 },
};

/** OpenAI's stream: `usage` is null in each event and told in one more event, when it was asked for; not there otherwise. */
export function chatStream(id: string, bytes = 11, usage: object = CHAT_USAGE): Replay {
  return async ({ json: { model, stream_options } }, answer) => {
    const asked = (stream_options as { include_usage?: boolean } | undefined)?.include_usage === true;
    const more = { ...(asked && { usage: null }), obfuscation: "x7" };
    const name = `${model}-2026-08-07`;
    const deltas = [{ role: "assistant", content: "" }, ...WORDS.map((content) => ({ content }))];
    const events = deltas.map((delta) => chunk(name, id, [{ index: 0, delta, finish_reason: null }], more));
    const end = chunk(name, id, [{ index: 0, delta: {}, finish_reason: "stop" }], more);
    const last = asked ? [chunk(name, id, [], { usage })] : [];
    answer.writeHead(200, { ...EVENT_STREAM, "x-request-id": `req-${id}` });
    await inPieces(answer, data(...events, end, ...last) + DONE, bytes);
    answer.end();
  };
}

const TOOL_DELTAS = [
  { role: "assistant", content: null },
  { tool_calls: [{ index: 0, id: "call_1", type: "function", function: { name: "weather", arguments: "" } }] },
  { tool_calls: [{ index: 0, function: { arguments: '{"city":' } }] },
  { tool_calls: [{ index: 0, function: { arguments: '"Zürich"}' } }] },
];

/** Fireworks' stream: the usage is in the last event with content, asked for or not. */
const fireworksTools: Replay = async ({ json: { model } }, answer) => {
  const id = "fw-tools";
  const events = TOOL_DELTAS.map((delta) =>
    chunk(String(model), id, [{ index: 0, delta, finish_reason: null }], { usage: null }),
  );
  const usage = {
    prompt_tokens: 90,
    total_tokens: 107,
    completion_tokens: 17,
    prompt_tokens_details: { cached_tokens: 64 },
  };
  const end = chunk(String(model), id, [{ index: 0, delta: {}, finish_reason: "tool_calls" }], { usage });
  answer.writeHead(200, { ...EVENT_STREAM, "fireworks-prompt-tokens": "90", "fireworks-cached-prompt-tokens": "64" });
  await inPieces(answer, data(...events, end).replaceAll("\n", "\r\n") + DONE, 64);
  answer.end();
};

const MESSAGE = {
  id: "msg_01",
  type: "message",
  role: "assistant",
  model: "claude-1-20260801",
  stop_reason: null,
  stop_sequence: null,
};
const MESSAGE_START = {
  input_tokens: 25,
  cache_creation_input_tokens: 300,
  cache_read_input_tokens: 2000,
  output_tokens: 1,
  service_tier: "standard",
};

function messageEvents(id: string): NamedEvent[] {
  return [
    { type: "message_start", message: { ...MESSAGE, id, content: [], usage: MESSAGE_START } },
    { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
    { type: "ping" },
    { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: 'Hello "usage":{"output_tokens":9}' } },
    { type: "content_block_stop", index: 0 },
    { type: "message_delta", delta: { stop_reason: "end_turn", stop_sequence: null }, usage: { output_tokens: 15 } },
    { type: "message_stop" },
  ];
}

const messageStream: Replay = async (_, answer) => {
  answer.writeHead(200, { ...EVENT_STREAM, "request-id": "req_9" });
  await inPieces(answer, named(...messageEvents("msg_stream")), 33);
  answer.end();
};

const RESPONSE_USAGE = {
  input_tokens: 36,
  input_tokens_details: { cached_tokens: 12 },
  output_tokens: 87,
  output_tokens_details: { reasoning_tokens: 60 },
  total_tokens: 123,
};

function response(id: string, status: string, usage: object | null): object {
  const content = [{ type: "output_text", text: "x".repeat(20_000), annotations: [] }];
  const output = status === "completed" ? [{ type: "message", id: "m1", status, role: "assistant", content }] : [];
  return {
    id,
    object: "response",
    created_at: 1_790_000_000,
    status,
    model: "resp-1-2026",
    output,
    service_tier: "default",
    usage,
  };
}

const responseStream: Replay = async (_, answer) => {
  const id = "resp_stream";
  const events = [
    { type: "response.created", response: response(id, "in_progress", null) },
    { type: "response.output_text.delta", item_id: "m1", output_index: 0, content_index: 0, delta: "xxx" },
    { type: "response.completed", response: response(id, "completed", RESPONSE_USAGE) },
  ];
  answer.writeHead(200, EVENT_STREAM);
  await inPieces(answer, named(...events), 1000);
  answer.end();
};

/** Sends a part of an answer, and breaks the connection. */
function cut(text: string, headers: Record<string, string | number>, status = 200): Replay {
  return async (_, answer) => {
    answer.writeHead(status, headers);
    answer.write(text);
    await pause(30);
    answer.destroy();
  };
}

const cutChat: Replay = async ({ json: { model } }, answer) => {
  answer.writeHead(200, { ...EVENT_STREAM, ...(model === "cut-known" && { "fireworks-prompt-tokens": "300" }) });
  const events = WORDS.map((content) => chunk(String(model), String(model), [{ index: 0, delta: { content } }]));
  await inPieces(answer, `${data(...events)}data: {"id":"hal`, 50);
  await pause(30);
  answer.destroy();
};

/** Never ends by itself, and says how long its client stayed. */
export const endless: { gone: number } & Record<"replay", Replay> = {
  gone: 0,
  replay: async ({ json: { model } }, answer) => {
    answer.writeHead(200, EVENT_STREAM);
    answer.once("close", () => {
      endless.gone += 1;
    });
    while (!answer.destroyed) {
      answer.write(data(chunk(String(model), "endless", [{ index: 0, delta: { content: "more" } }])));
      await pause(5);
    }
  },
};

/** Tells its headers, and its first event once the test says so. */
export const lateStream: { until: Promise<void> } & Record<"replay", Replay> = {
  until: Promise.resolve(),
  replay: async (_, answer) => {
    answer.writeHead(200, EVENT_STREAM).flushHeaders();
    await lateStream.until;
    answer.end(data(chunk("late-stream", "late-stream", [], { usage: CHAT_USAGE })) + DONE);
  },
};

/** A stream that takes its time, so that a client can leave in the middle. */
export const slowStream: Replay = async ({ json: { model } }, answer) => {
  answer.writeHead(200, EVENT_STREAM);
  const id = `${model}-1`;
  for (let at = 0; at < 20; at += 1) {
    answer.write(data(chunk(String(model), id, [{ index: 0, delta: { content: String(at) } }])));
    await pause(15);
  }
  answer.end(data(chunk(String(model), id, [], { usage: CHAT_USAGE })) + DONE);
};

const ERROR_429 = {
  error: { message: "Rate limit reached", type: "requests", param: null, code: "rate_limit_exceeded" },
};
const chatJson = {
  id: "chatcmpl-json",
  object: "chat.completion",
  created: 1_790_000_000,
  model: "chat-json-2026-08-07",
  choices: [
    { index: 0, message: { role: "assistant", content: 'a "usage": {"prompt_tokens": 1}' }, finish_reason: "stop" },
  ],
  usage: CHAT_USAGE,
  service_tier: "priority",
};
const image = { b64_json: Buffer.alloc(1_500_000, "image").toString("base64") };

/** Every answer, by the model that asks for it. */
export const REPLAYS: Readonly<Record<string, Replay>> = {
  "chat-json": json(chatJson, {
    "x-request-id": "req-json",
    "set-cookie": "a=b",
    "x-ratelimit-remaining-requests": "99",
  }),
  repeated: json({ ...chatJson, id: "repeated" }),
  "chat-beside": json({
    ...chatJson,
    id: "beside",
    model: "chat-beside",
    usage: {
      prompt_tokens: 10,
      completion_tokens: 5,
      total_tokens: 22,
      completion_tokens_details: { reasoning_tokens: 7 },
    },
  }),
  "chat-stream": chatStream("chatcmpl-stream"),
  "chat-stream-1": chatStream("chatcmpl-bytes", 1),
  "chat-stream-all": chatStream("chatcmpl-all", 1_000_000),
  "chat-bare": json({ object: "chat.completion", choices: [], usage: { prompt_tokens: 3, completion_tokens: 4 } }),
  "accounts/fireworks/models/tools": fireworksTools,
  completion: json({
    id: "cmpl-1",
    object: "text_completion",
    created: 1,
    model: "completion",
    choices: [{ text: "a" }],
    usage: { prompt_tokens: 5, completion_tokens: 6, total_tokens: 11 },
  }),
  "resp-json": json(response("resp_json", "completed", RESPONSE_USAGE)),
  "resp-stream": responseStream,
  claude: json({
    ...MESSAGE,
    content: [{ type: "text", text: "Hi" }],
    usage: {
      input_tokens: 10,
      cache_creation_input_tokens: 0,
      cache_read_input_tokens: 90,
      output_tokens: 7,
      service_tier: "batch",
    },
  }),
  "claude-stream": messageStream,
  "claude-error": json(
    { type: "error", error: { type: "overloaded_error", message: "Overloaded" }, request_id: "req_1" },
    {},
    529,
  ),
  "claude-cut": cut(named(...messageEvents("msg_cut").slice(0, 4)), EVENT_STREAM),
  embed: json(
    {
      object: "list",
      model: "embed-v3",
      data: [{ object: "embedding", index: 0, embedding: Array.from({ length: 3072 }, (_, at) => Math.sin(at)) }],
      usage: { prompt_tokens: 8, total_tokens: 8 },
    },
    { "x-request-id": "req-embed" },
  ),
  whisper: json({ text: "Good morning", usage: { type: "duration", seconds: 9 } }, { "x-request-id": "req-whisper" }),
  "whisper-verbose": json(
    { task: "transcribe", language: "english", duration: 8.4700003, text: "Good morning", segments: [] },
    { "x-request-id": "req-verbose" },
  ),
  "gpt-transcribe": json(
    {
      text: "Good",
      usage: {
        type: "tokens",
        input_tokens: 14,
        input_token_details: { text_tokens: 4, audio_tokens: 10 },
        output_tokens: 11,
        total_tokens: 25,
      },
    },
    { "x-request-id": "req-tokens" },
  ),
  "whisper-text": (_, answer) =>
    void answer.writeHead(200, { "content-type": "text/plain; charset=utf-8" }).end("Good morning\n"),
  flux: json(
    { created: 1, data: [image, image], usage: { input_tokens: 50, output_tokens: 4160, total_tokens: 4210 } },
    { "x-request-id": "req-flux" },
  ),
  "rate-limited": json(ERROR_429, { "retry-after": "0", "retry-after-ms": "1" }, 429),
  broken: json({ error: { message: "boom", type: "server_error", param: null, code: null } }, {}, 500),
  refused: json({ error: { message: "Incorrect API key provided: up-s****", type: "invalid_request_error" } }, {}, 401),
  redirect: (_, answer) => void answer.writeHead(307, { location: "http://127.0.0.1:9/steal" }).end(),
  "cut-unknown": cutChat,
  "cut-known": cutChat,
  "cut-json": cut('{"id":"cut-json","usage":{"prompt_tokens":5', { "content-type": "application/json" }),
  "cut-length": cut('{"id":"cut-length"}', { "content-type": "application/json", "content-length": 5000 }),
  "no-usage": json({ id: "no-usage", object: "chat.completion", model: "no-usage", choices: [] }),
  "bad-usage": json({
    id: "bad-usage",
    model: "bad-usage",
    choices: [],
    usage: { prompt_tokens: 10, completion_tokens: -4, prompt_tokens_details: { cached_tokens: 50 } },
  }),
  "no-sse": (_, answer) =>
    void answer.writeHead(200, EVENT_STREAM).end("<html>it was no stream\n\n</html>\n\ndata: {broken\n\n"),
  "error-in-stream": async (_, answer) => {
    answer.writeHead(200, EVENT_STREAM);
    await inPieces(answer, data(chunk("m", "error-in-stream", [{ index: 0, delta: { content: "a" } }]), ERROR_429), 40);
    answer.end();
  },
  silent: () => {},
  "silent-middle": (_, answer) => void answer.writeHead(200, EVENT_STREAM).write(data(chunk("m", "silent-middle", []))),
  "no-http": (_, answer) => void answer.socket!.end("what is this?\r\n\r\n"),
  late: async (got, answer) => {
    await pause(300);
    await json({ ...chatJson, id: "late" })(got, answer);
  },
  "late-stream": lateStream.replay,
  endless: endless.replay,
  slow: slowStream,
};
