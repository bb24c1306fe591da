import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import { parse } from "yaml";
import { loadPriceBook } from "./book.ts";
import { MATCH_FIELDS } from "./match-reader.ts";
import type { BookKind } from "./price.ts";
import { priceBookSchema } from "./schema.ts";

const ajv = new Ajv2020({ strict: true, strictRequired: false, strictTypes: false });
const fitsSchema = ajv.compile(priceBookSchema());

function loads(yamlText: string, kind: BookKind): boolean {
  try {
    loadPriceBook("trial", yamlText, kind);
    return true;
  } catch {
    return false;
  }
}

test("the default book and the book of docs/prices.md fit the published schema", () => {
  const at = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
  assert.ok(fitsSchema(parse(at("prices/default.yaml"))), ajv.errorsText(fitsSchema.errors));
  for (const [, yaml = ""] of at("docs/prices.md").matchAll(/```yaml\n([\s\S]*?)```/g)) {
    assert.ok(fitsSchema(parse(yaml)), ajv.errorsText(fitsSchema.errors));
  }
  assert.deepEqual(JSON.parse(at("prices/price-book.schema.json")), priceBookSchema());
});

const DATES = "effectiveFrom: 2026-05-01T00:00:00Z, source: s";
const TOKENS = 'perMillionTokens: { input: "1" }';
const entry = (match: string, price = TOKENS, rest = DATES): string =>
  `currency: USD\nprices:\n  - { match: { ${match} }, ${price}, ${rest} }\n`;
const discount = (fields: string): string => `currency: USD\ndiscounts:\n  - { ${fields}, ${DATES} }\n`;

const GOOD: [BookKind, string][] = [
  ["list", entry("model: m")],
  ["list", entry('model: ["a*", b, "*"], baseModel: "llama*", batch: false')],
  ["list", entry("router: [accounts/a/routers/b, accounts/a/routers/*]")],
  ["list", entry("contextTokens: { above: 32000, atMost: 200000 }, serviceTier: [FAST, PRIORITY]")],
  ["list", entry('parametersBillions: { above: ".5", atMost: "16" }, architecture: [dense, moe]')],
  ["list", entry("acceleratorType: NVIDIA_L4_24GB, placement: US", 'perAcceleratorHour: "1"')],
  ["list", entry("jobType: SFT", 'perMillionTrainingTokens: "0"')],
  ["list", entry("model: m", 'perImage: "1"', `effectiveTo: 2026-05-01t00:15:00.000z, ${DATES}`)],
  ["list", entry("usageType: [AUDIO_INFERENCE_USAGE]", 'perAudioMinute: "0.0009"')],
  ["contract", entry("model: m")],
  ["contract", discount('percent: "12.5"')],
  ["contract", discount('percent: "100", match: { model: "*" }')],
];

const BAD: [BookKind, string][] = [
  ["list", ""],
  ["list", "currency: USD\n"],
  ["list", entry("model: m").replace("USD", "EUR")],
  ["list", entry("model: m").replace("currency: USD\n", "")],
  ["list", entry("model: m").replace("prices", "version: 1\nprices")],
  ["list", entry("model: m", "perMillionTokens: { input: 1 }")],
  ["list", entry("model: m", "perMillionTokens: { input: 1e-7 }")],
  ["list", entry("model: m", 'perMillionTokens: { input: "1e-7" }')],
  ["list", entry("model: m", 'perMillionTokens: { input: "-1" }')],
  ["list", entry("model: m", 'perMillionTokens: { inptu: "1" }')],
  ["list", entry("model: m", "perMillionTokens: {}")],
  ["list", entry("model: m", 'perFortnight: "1"')],
  ["list", entry("model: m", `${TOKENS}, perImage: "1"`)],
  ["list", entry("model: m", TOKENS, DATES.replace("00:00Z", "10:00Z"))],
  ["list", entry("model: m", TOKENS, DATES.replace("00Z", "00+01:00"))],
  ["list", entry("model: m", TOKENS, "source: s")],
  ["list", entry("model: m", TOKENS, "effectiveFrom: 2026-05-01T00:00:00Z")],
  ["list", entry("model: m", TOKENS, DATES.replace("source: s", 'source: " "'))],
  ["list", entry("")],
  ["list", entry("model: []")],
  ["list", entry("model: 7")],
  ["list", entry('model: "a*b"')],
  ["list", entry("router: m")],
  ["list", entry("model: m, router: a/routers/b")],
  ["list", entry("modle: m")],
  ["list", entry("usageType: TEXT")],
  ["list", entry("serviceTier: TURBO")],
  ["list", entry('batch: "true"')],
  ["list", entry('placement: "US*"')],
  ["list", entry("contextTokens: { above: 200001 }")],
  ["list", entry("contextTokens: {}")],
  ["list", entry("parametersBillions: {}")],
  ["list", entry('parametersBillions: { above: "1", atLeast: "1" }')],
  ["list", entry("parametersBillions: { above: 1 }")],
  ["list", entry("architecture: sparse")],
  ["list", entry("acceleratorType: H100", 'perAcceleratorHour: "1"')],
  ["list", entry("model: m").replace("prices", 'multipliers: { batch: "0.5" }\nprices')],
  ["list", entry("model: m").replace("prices", "multipliers: { batch: 0.5, source: s }\nprices")],
  ["list", entry("model: m").replace("prices", "models: { m: { architecture: dense } }\nprices")],
  ["contract", discount("percent: 12.5")],
  ["contract", discount("match: { model: m }")],
  ["contract", discount('percent: "5", perImage: "1"')],
];

test("what the loader takes fits the schema", () => {
  for (const [kind, text] of GOOD) {
    assert.ok(loads(text, kind), text);
    assert.ok(fitsSchema(parse(text)), `${text}${ajv.errorsText(fitsSchema.errors)}`);
  }
});

test("what a schema can say is refused by both", () => {
  for (const [kind, text] of BAD) {
    assert.ok(!loads(text, kind), text);
    assert.ok(!fitsSchema(parse(text)), text);
  }
});

test("every field of a match is in the schema", () => {
  const { $defs } = priceBookSchema() as { $defs: { match: { properties: object } } };
  assert.deepEqual(Object.keys($defs.match.properties).sort(), [...MATCH_FIELDS].sort());
});

test("property: a decimal, a time and a name are what both take, or what neither does", () => {
  const digits = fc.stringMatching(/^-?[0-9]{0,3}[.e]?[0-9]{0,3}$/);
  const time = fc
    .tuple(
      fc.constantFrom("T", "t", " "),
      fc.constantFrom("00:00", "00:15", "00:07", "24:00"),
      fc.constantFrom("00Z", "00.0z", "00", "00.5Z", "00+00:00"),
    )
    .map(([t, hour, rest]) => `2026-05-01${t}${hour}:${rest}`)
    // A day of 24 hours, as a February of 30 days, is beyond a pattern.
    .filter((text) => !text.includes("24:"));
  const name = fc.string({
    unit: fc.constantFrom("a", "*", " ", "\u0001", "/routers/", "é", "\ud83d\ude00"),
    maxLength: 4,
  });
  const book = fc.oneof(
    digits.map((text) => entry("model: m", `perMillionTokens: { input: ${JSON.stringify(text)} }`)),
    time.map((text) => entry("model: m", TOKENS, `effectiveFrom: "${text}", source: s`)),
    fc
      .tuple(fc.constantFrom("model", "router", "baseModel", "jobType"), name)
      .map(([field, text]) => entry(`${field}: ${JSON.stringify(text)}`)),
  );
  fc.assert(
    fc.property(book, (text) => assert.equal(fitsSchema(parse(text)), loads(text, "list"), text)),
    {
      numRuns: 1000,
    },
  );
});
