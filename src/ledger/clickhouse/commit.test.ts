import assert from "node:assert/strict";
import { test } from "node:test";
import { batchOf, METERS, SERIES_FIELDS } from "../../domain/usage.ts";
import { planCommit } from "./commit.ts";
import { identityKey, type StoredEvent } from "./entries.ts";

const LABELS = SERIES_FIELDS.map((field) => (field === "usageType" ? "TRAINING_TOKEN_USAGE" : ""));
const AT = 1_800_000_000_000;

function append(...events: readonly (readonly [id: string, tokens: number])[]) {
  const rows = events.map(([id, tokens]) => ({
    ...{ id, time: AT, sent: LABELS, series: LABELS },
    quantities: METERS.map((meter) => (meter === "tokens" ? tokens : 0)),
  }));
  return { kind: "append" as const, account: "acme", batch: batchOf(rows), names: ["series"], at: AT + 1_999 };
}

function stored(id: string, tokens: number): [string, StoredEvent] {
  const quantities = METERS.map((meter) => (meter === "tokens" ? tokens : 0));
  const place = { account: "acme", id, slot: 2_000_000, arrival: 5, time: AT };
  const event = { ...place, series: "series", sent: "series", quantities, receivedAt: AT, voidedAt: undefined };
  return [identityKey("acme", id), event];
}

const LABELS_BY_NAME = new Map([["series", LABELS]]);
const none = () => false;

test("calls of one commit see each other: duplicates, conflicts and voids of what it writes itself", () => {
  const calls = [
    append(["a", 1], ["a", 1], ["a", 2]),
    append(["a", 1], ["b", 3]),
    { kind: "void" as const, account: "acme", ids: ["a", "a", "c"], at: AT },
    { ...append(["a", 9]), account: "umbra" },
  ];
  const { entries, replies } = planCommit(calls, { known: new Map(), labels: new Map(), commit: 1, dropped: none });
  assert.deepEqual(replies, [
    { created: 1, duplicates: 1, conflicts: [{ at: 2, field: "tokens" }] },
    { created: 1, duplicates: 1, conflicts: [] },
    ["voided", "already_voided", "not_found"],
    { created: 1, duplicates: 0, conflicts: [] },
  ]);
  const written = entries.map(({ account, id, counted, arrival, quantities, at }) =>
    [account, id, counted, arrival - 2 ** 17, quantities.at(-1), at - AT].join(" "),
  );
  // The void stands where its event does.
  assert.deepEqual(written, ["acme a 1 0 1 1000", "acme b 1 1 3 1000", "acme a -1 0 -1 0", "umbra a 1 3 9 1000"]);
});

test("of an event that was dropped, whatever comes is a duplicate, and it cannot be voided", () => {
  const calls = [append(["kept", 2], ["gone", 2]), { kind: "void" as const, account: "acme", ids: ["gone"], at: AT }];
  const known = new Map([stored("kept", 1), stored("gone", 1)]);
  const dropped = ({ id }: StoredEvent): boolean => id === "gone";
  const { entries, replies } = planCommit(calls, { known, labels: LABELS_BY_NAME, commit: 1, dropped });
  assert.deepEqual(entries, []);
  assert.deepEqual(replies, [{ created: 0, duplicates: 1, conflicts: [{ at: 0, field: "tokens" }] }, ["dropped"]]);
});
