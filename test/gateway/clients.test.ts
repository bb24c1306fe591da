/** The official clients, unchanged: through the gateway they get the same bytes as directly, and each use is an event. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import OpenAI, { toFile } from "openai";
import { type Serving, startGateway, startUpstream, UPSTREAM_KEY, type Upstream, yamlOf } from "./serving.ts";

let upstream: Upstream;
let gateway: Serving;
let key: { keyId: string; key: string };

before(async () => {
  upstream = await startUpstream();
  gateway = await startGateway({ yaml: yamlOf(upstream.url) });
  key = await gateway.key("USER");
});
after(async () => {
  await gateway.close();
  upstream.close();
});

/** What a client got: what it made of the answer, and the bytes it was given. */
interface Outcome {
  readonly result: unknown;
  readonly status: number;
  readonly bytes: Buffer;
  readonly headers: Headers;
}

type Use = (openai: OpenAI, anthropic: Anthropic) => Promise<unknown>;

/** Uses both clients at an address, and keeps the last answer's bytes from under them. */
async function use(base: { openai: string; anthropic: string }, apiKey: string, what: Use): Promise<Outcome> {
  let last: { status: number; bytes: Promise<ArrayBuffer>; headers: Headers } | undefined;
  const watched: typeof fetch = async (url, init) => {
    const answer = await fetch(url, init);
    last = { status: answer.status, bytes: answer.clone().arrayBuffer(), headers: answer.headers };
    return answer;
  };
  const options = { apiKey, fetch: watched, maxRetries: 0 };
  const openai = new OpenAI({ ...options, baseURL: base.openai });
  const anthropic = new Anthropic({ ...options, baseURL: base.anthropic });
  const result = await what(openai, anthropic).catch((error: Error & { status?: number; error?: unknown }) => {
    return { name: error.name, status: error.status, error: error.error, message: error.message };
  });
  const { status = 0, bytes, headers = new Headers() } = last ?? {};
  return {
    result: JSON.parse(JSON.stringify(result)),
    status,
    bytes: Buffer.from((await bytes) ?? new ArrayBuffer(0)),
    headers,
  };
}

function direct(what: Use, base = "/v1"): Promise<Outcome> {
  return use({ openai: `${upstream.url}${base}`, anthropic: upstream.url }, UPSTREAM_KEY, what);
}

function through(what: Use, headers: "plain" | "inference" = "plain"): Promise<Outcome> {
  const anthropic = headers === "inference" ? `${gateway.url}/inference` : gateway.url;
  return use({ openai: `${gateway.url}/inference/v1`, anthropic }, key.key, what);
}

async function all<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of stream) items.push(item);
  return items;
}

const messages = [{ role: "user" as const, content: "Say 你好, please" }];
const chat =
  (model: string, more: object = {}): Use =>
  (openai) =>
    openai.chat.completions.create({ model, messages, ...more }) as Promise<unknown>;
const chatStream =
  (model: string, more: object = {}): Use =>
  async (openai) =>
    all(await openai.chat.completions.create({ model, messages, ...more, stream: true }));
const sound = () => toFile(Buffer.alloc(300_000, "sound"), "morning.wav", { type: "audio/wav" });
const transcribe =
  (model: string, more: object = {}): Use =>
  async (openai) =>
    openai.audio.transcriptions.create({ file: await sound(), model, ...more });
const claude = { max_tokens: 100, messages };

const TEXT = "TEXT_COMPLETION_INFERENCE_USAGE";
const AUDIO = "AUDIO_INFERENCE_USAGE";
// biome-ignore format: a ledger
const CASES: [name: string, use: Use, id: string | undefined, usageType: string, model: string, quantities: object, more?: object][] = [
  ["chat", chat("chat-json"), "open:chatcmpl-json", TEXT, "chat-json", { promptTokens: 1117, cachedPromptTokens: 1024, completionTokens: 46 }, { baseModel: "chat-json-2026-08-07", serviceTier: "PRIORITY" }],
  ["chat with reasoning beside the completion", chat("chat-beside"), "open:beside", TEXT, "chat-beside", { promptTokens: 10, completionTokens: 12 }, { serviceTier: "PRIORITY" }],
  ["chat stream", chatStream("chat-stream"), "open:chatcmpl-stream", TEXT, "chat-stream", { promptTokens: 1117, cachedPromptTokens: 1024, completionTokens: 46 }, { baseModel: "chat-stream-2026-08-07" }],
  ["chat stream, byte by byte", chatStream("chat-stream-1"), "open:chatcmpl-bytes", TEXT, "chat-stream-1", { promptTokens: 1117, cachedPromptTokens: 1024, completionTokens: 46 }, { baseModel: "chat-stream-1-2026-08-07" }],
  ["chat stream in one piece, with options of the client's own", chatStream("chat-stream-all", { stream_options: { include_obfuscation: true } }), "open:chatcmpl-all", TEXT, "chat-stream-all", { promptTokens: 1117, cachedPromptTokens: 1024, completionTokens: 46 }, { baseModel: "chat-stream-all-2026-08-07" }],
  ["tools from Fireworks, streamed", chatStream("accounts/fireworks/models/tools"), "fireworks:fw-tools", TEXT, "accounts/fireworks/models/tools", { promptTokens: 90, cachedPromptTokens: 64, completionTokens: 17 }],
  ["completion", (openai) => openai.completions.create({ model: "completion", prompt: "a" }), "open:cmpl-1", TEXT, "completion", { promptTokens: 5, completionTokens: 6 }],
  ["response", (openai) => openai.responses.create({ model: "resp-json", input: "a" }), "open:resp_json", TEXT, "resp-json", { promptTokens: 36, cachedPromptTokens: 12, completionTokens: 87 }, { baseModel: "resp-1-2026" }],
  ["response stream", async (openai) => all(await openai.responses.create({ model: "resp-stream", input: "a", stream: true })), "open:resp_stream", TEXT, "resp-stream", { promptTokens: 36, cachedPromptTokens: 12, completionTokens: 87 }, { baseModel: "resp-1-2026" }],
  ["embedding", (openai) => openai.embeddings.create({ model: "embed", input: "a" }), "open:req-embed", "EMBEDDING_INFERENCE_USAGE", "embed", { promptTokens: 8 }, { baseModel: "embed-v3" }],
  ["transcription", transcribe("whisper"), "open:req-whisper", AUDIO, "whisper", { audioInputSeconds: 9 }],
  ["transcription, verbose", transcribe("whisper-verbose", { response_format: "verbose_json" }), "open:req-verbose", AUDIO, "whisper-verbose", { audioInputSeconds: 8.47 }],
  ["transcription in tokens", transcribe("gpt-transcribe"), "open:req-tokens", AUDIO, "gpt-transcribe", { promptTokens: 14, completionTokens: 11 }],
  ["transcription as text", transcribe("whisper-text", { response_format: "text" }), undefined, AUDIO, "whisper-text", {}],
  ["translation", async (openai) => openai.audio.translations.create({ file: await sound(), model: "whisper" }), "open:req-whisper", AUDIO, "whisper", { audioInputSeconds: 9 }],
  ["images", (openai) => openai.images.generate({ model: "flux", prompt: "a", n: 2 }), "open:req-flux", "IMAGE_GENERATION_USAGE", "flux", { promptTokens: 50, completionTokens: 4160, imageCount: 2 }],
  ["message", (_, anthropic) => anthropic.messages.create({ ...claude, model: "claude" }), "open:msg_01", TEXT, "claude", { promptTokens: 100, cachedPromptTokens: 90, completionTokens: 7 }, { baseModel: "claude-1-20260801", batch: true }],
  ["message stream", async (_, anthropic) => all(await anthropic.messages.create({ ...claude, model: "claude-stream", stream: true })), "open:msg_stream", TEXT, "claude-stream", { promptTokens: 2325, cachedPromptTokens: 2000, completionTokens: 15 }, { baseModel: "claude-1-20260801" }],
];

for (const [name, what, id, usageType, model, quantities, more] of CASES) {
  test(`${name}: the same bytes, and its event`, async () => {
    const base = id?.startsWith("fireworks:") ? "/inference/v1" : "/v1";
    const plain = await direct(what, base);
    const began = Date.now();
    const metered = await through(what);
    assert.equal(plain.status, 200);
    assert.deepEqual([metered.status, metered.bytes.toString()], [plain.status, plain.bytes.toString()]);
    assert.deepEqual(metered.result, plain.result);
    assert.equal(metered.headers.get("set-cookie"), null);
    if (id === undefined) return;
    // The headers of a stream leave without it where a busy machine is slow to tell the id.
    const told = metered.headers.get("x-daybook-event-id");
    if (told !== null || !name.includes("stream")) assert.equal(told, id);
    const { time, ...event } = await gateway.event(id);
    const common = { id, usageType, model, apiKeyId: key.keyId, user: "owner", serviceTier: "STANDARD" };
    assert.deepEqual(event, { ...common, ...quantities, ...more });
    // An answer that was given before is the same event, of the first time.
    const at = Date.parse(String(time));
    assert.ok(at >= (name === "translation" ? 0 : began) && at <= Date.now(), String(time));
  });
}

test("a client that asks for the usage of its stream sees it, and nothing is changed on the way", async () => {
  const what = chatStream("chat-stream", { stream_options: { include_usage: true } });
  const [plain, metered] = [await direct(what), await through(what)];
  assert.deepEqual(metered.bytes.toString(), plain.bytes.toString());
  const [sent, asked] = upstream.got.slice(-2).map(({ body }) => body.toString());
  assert.equal(asked, sent);
});

test("Anthropic's client at /inference, and its count of tokens, which is passed through", async () => {
  const { status } = await through(
    (_, anthropic) => anthropic.messages.create({ ...claude, model: "claude" }),
    "inference",
  );
  assert.equal(status, 200);
  const { result } = await through((_, anthropic) => anthropic.messages.countTokens({ model: "claude-x", messages }));
  assert.deepEqual(result, { echo: "POST /v1/messages/count_tokens" });
});

test("errors come as the upstream told them, and are no usage", async () => {
  const uses: [Use, number][] = [
    [chat("rate-limited"), 429],
    [chatStream("rate-limited"), 429],
    [chat("broken"), 500],
    [(_, anthropic) => anthropic.messages.create({ ...claude, model: "claude-error" }), 529],
  ];
  for (const [what, status] of uses) {
    const [plain, metered] = [await direct(what), await through(what)];
    assert.equal(plain.status, status);
    assert.deepEqual([metered.status, metered.bytes, metered.result], [plain.status, plain.bytes, plain.result]);
    assert.equal(metered.headers.get("x-daybook-event-id"), null);
  }
});

test("an answer that an upstream gives again, as to a repeated call, counts once", async () => {
  const outcomes = async () => {
    const counts = ["created", "conflict"].map((one) =>
      gateway.metric(`daybook_gateway_events_total{outcome="${one}"}`),
    );
    return Promise.all(counts);
  };
  await through(chat("repeated"));
  await gateway.event("open:repeated");
  const [created = 0, conflicts = 0] = await outcomes();
  for (let at = 0; at < 3; at += 1) await through(chat("repeated"));
  const { headers } = await through(chat("chat-bare"));
  await gateway.event(headers.get("x-daybook-event-id") ?? "none");
  const [createdThen = 0, conflictsThen = 0] = await outcomes();
  assert.deepEqual([createdThen - created, conflictsThen - conflicts], [1, 3]);
});

test("tags come from the header, bad ones are dropped and counted, and another name of a model is mapped", async () => {
  const dropped = await gateway.metric("daybook_dropped_annotations_total");
  const options = {
    headers: {
      "Fireworks-Annotations": "team=search, project=a;b,colour=red,x,environment=prod",
      "Daybook-Annotations": "team=ranker",
    },
  };
  const what: Use = (openai) =>
    openai.chat.completions.create({ model: "public-stream", messages, stream: true }, options).then(all);
  const { status, headers } = await through(what);
  assert.equal(status, 200);
  assert.ok([null, "open:chatcmpl-stream"].includes(headers.get("x-daybook-event-id")));
  assert.equal(upstream.got.at(-1)!.json.model, "chat-stream");
  assert.equal((await gateway.metric("daybook_dropped_annotations_total")) - dropped, 3);
});

test("the names that are written out are the list of models", async () => {
  const { result } = await through(async (openai) => all(await openai.models.list()));
  assert.deepEqual(
    (result as { id: string }[]).map(({ id }) => id),
    ["public-name", "public-stream"],
  );
});
