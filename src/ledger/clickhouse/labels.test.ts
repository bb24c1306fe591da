import assert from "node:assert/strict";
import { test } from "node:test";
import { SERIES_FIELDS } from "../../domain/usage.ts";
import { seriesName } from "./labels.ts";

const labels = (values: Readonly<Record<string, string>>) => SERIES_FIELDS.map((field) => values[field] ?? "");

test("labels keep the name that they had before a field was added, and a value of the field makes another", () => {
  const usage = { usageType: "TRAINING_TOKEN_USAGE" };
  // Written before there was the field `estimated`.
  assert.equal(seriesName("acme", labels(usage)), "eae4465a-56cc-95b6-084c-addb05706bb9");
  const names = ["", "client_gone", "no_usage"].map((estimated) => seriesName("acme", labels({ ...usage, estimated })));
  assert.equal(new Set(names).size, 3);
});
