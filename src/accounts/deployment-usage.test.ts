import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DAY_MS, HOUR_MS, type Instant } from "../domain/time.ts";
import { deploymentUsage } from "./deployment-usage.ts";
import type { AttributeChange, Deployment, ReplicaChange } from "./records.ts";

interface Timelines {
  readonly replicas: readonly (readonly [time: Instant, replicaCount: number])[];
  readonly attributes: readonly (readonly [time: Instant, acceleratorType: string, acceleratorCount: number])[];
  readonly deleteTime?: Instant | undefined;
}

function deployment({ replicas, attributes, deleteTime }: Timelines): Deployment {
  const common = { baseModel: "m", placement: "US", annotations: { team: "t" } };
  const replicaChanges: ReplicaChange[] = replicas.map(([time, replicaCount]) => ({ time, replicaCount }));
  const attributeChanges: AttributeChange[] = attributes.map(([time, acceleratorType, acceleratorCount]) => ({
    ...common,
    time,
    acceleratorType,
    acceleratorCount,
  }));
  const { time, ...now } = attributeChanges.at(-1)!;
  const ids = { account: "a", id: "d", displayName: "", createTime: attributeChanges[0]!.time, updateTime: time };
  return { ...now, ...ids, ...(deleteTime !== undefined && { deleteTime }), replicaChanges, attributeChanges };
}

/** `segment:type=ms`, of all rows. */
function rows(timelines: Timelines, edges: Instant[], now: Instant): string {
  const usage = deploymentUsage(deployment(timelines), edges, now);
  return usage.map((row) => `${row.segment}:${row.acceleratorType}=${row.acceleratorMs}`).join(" ");
}

test("replicas x accelerators x time, split at edges and changes", () => {
  const one: Timelines["attributes"] = [[100, "X", 2]];
  const cases: [string, Timelines, Instant[], Instant, string][] = [
    ["runs all the time", { replicas: [[0, 3]], attributes: one }, [100, 200, 300], 900, "0:X=600 1:X=600"],
    ["still runs", { replicas: [[0, 3]], attributes: one }, [100, 200, 300], 250, "0:X=600 1:X=300"],
    ["starts on an edge", { replicas: [[200, 1]], attributes: one }, [100, 200, 300], 900, "1:X=200"],
    ["no replicas", { replicas: [], attributes: one }, [100, 200, 300], 900, ""],
    [
      "scaled to none and back",
      {
        replicas: [
          [100, 1],
          [120, 0],
          [180, 1],
        ],
        attributes: one,
      },
      [100, 200],
      900,
      "0:X=80",
    ],
    [
      "scale ahead of now",
      {
        replicas: [
          [100, 1],
          [260, 9],
        ],
        attributes: one,
      },
      [100, 300],
      250,
      "0:X=300",
    ],
    ["deleted", { replicas: [[0, 1]], attributes: one, deleteTime: 150 }, [100, 200, 300], 900, "0:X=100"],
    ["before its creation", { replicas: [[0, 1]], attributes: one }, [0, 50, 100], 900, "0:X=100 1:X=100"],
    ["all in the future", { replicas: [[0, 1]], attributes: one }, [100, 200], 100, ""],
    ["a segment of no length", { replicas: [[0, 1]], attributes: one }, [100, 100, 200], 900, "1:X=200"],
    ["no segment", { replicas: [[0, 1]], attributes: one }, [100], 900, ""],
    ["no edge", { replicas: [[0, 1]], attributes: one }, [], 900, ""],
    [
      "another accelerator in the middle",
      {
        replicas: [[0, 1]],
        attributes: [
          [100, "X", 2],
          [150, "Y", 4],
        ],
      },
      [100, 200, 300],
      900,
      "0:X=100 0:Y=200 1:Y=400",
    ],
  ];
  for (const [name, timelines, edges, now, expected] of cases) {
    assert.equal(rows(timelines, edges, now), expected, name);
  }
});

test("exact beyond 2^53", () => {
  const big: Timelines = { replicas: [[0, 10_000]], attributes: [[0, "X", 1_024]] };
  assert.equal(rows(big, [1, 366 * DAY_MS], 400 * DAY_MS), `0:X=${10_240_000n * BigInt(366 * DAY_MS - 1)}`);
});

const MS_MAX = 60;
const instant = fc.integer({ min: 0, max: MS_MAX });
const distinctTimes = { selector: (item: readonly [number, ...unknown[]]) => item[0] };
const byTime = <T extends readonly [number, ...unknown[]]>(items: T[]): T[] => items.sort((a, b) => a[0] - b[0]);
const timelines: fc.Arbitrary<Timelines> = fc.record({
  replicas: fc
    .uniqueArray(fc.tuple(instant, fc.integer({ min: 0, max: 4 })), { ...distinctTimes, maxLength: 8 })
    .map(byTime),
  attributes: fc
    .uniqueArray(fc.tuple(instant, fc.constantFrom("X", "Y"), fc.integer({ min: 1, max: 3 })), {
      ...distinctTimes,
      minLength: 1,
      maxLength: 5,
    })
    .map(byTime),
  deleteTime: fc.option(instant, { nil: undefined }),
});
const someEdges = fc.uniqueArray(instant, { minLength: 2, maxLength: 12 }).map((edges) => edges.sort((a, b) => a - b));

/** Asks of each single millisecond what ran in it: shares nothing with the code under test. */
function sampled({ replicas, attributes, deleteTime }: Timelines, edges: Instant[], now: Instant): Map<string, bigint> {
  const sums = new Map<string, bigint>();
  for (let segment = 0; segment + 1 < edges.length; segment += 1) {
    for (let t = edges[segment]!; t < edges[segment + 1]!; t += 1) {
      if (t >= now || (deleteTime !== undefined && t >= deleteTime)) continue;
      let running = 0;
      for (const [time, count] of replicas) if (time <= t) running = count;
      let [, type, accelerators] = attributes[0]!;
      for (const [time, ...change] of attributes) if (time <= t) [type, accelerators] = change;
      const key = `${segment}:${type}`;
      if (running > 0) sums.set(key, (sums.get(key) ?? 0n) + BigInt(running * accelerators));
    }
  }
  return sums;
}

test("equals a sample of every millisecond", () => {
  fc.assert(
    fc.property(timelines, someEdges, instant, (lines, edges, now) => {
      const sums = new Map<string, bigint>();
      for (const row of deploymentUsage(deployment(lines), edges, now)) {
        const key = `${row.segment}:${row.acceleratorType}`;
        sums.set(key, (sums.get(key) ?? 0n) + row.acceleratorMs);
        assert.ok(row.acceleratorMs > 0n);
      }
      assert.deepEqual(new Map([...sums].sort()), new Map([...sampled(lines, edges, now)].sort()));
    }),
  );
});

test("finer edges give the same sum", () => {
  fc.assert(
    fc.property(timelines, someEdges, fc.array(instant), instant, (lines, edges, more, now) => {
      const inside = more.filter((edge) => edge > edges[0]! && edge < edges.at(-1)!);
      const finer = [...new Set([...edges, ...inside])].sort((a, b) => a - b);
      const total = (of: Instant[]) =>
        deploymentUsage(deployment(lines), of, now).reduce((sum, row) => sum + row.acceleratorMs, 0n);
      assert.equal(total(finer), total(edges));
      assert.equal(total(edges), total([edges[0]!, edges.at(-1)!]));
    }),
  );
});

test("a month of hours of a deployment that is scaled each minute", () => {
  const replicas = Array.from({ length: 44_640 }, (_, at) => [at * 60_000, at % 7] as const);
  const edges = Array.from({ length: 745 }, (_, at) => at * HOUR_MS);
  const total = deploymentUsage(deployment({ replicas, attributes: [[0, "X", 8]] }), edges, 31 * DAY_MS).reduce(
    (sum, row) => sum + row.acceleratorMs,
    0n,
  );
  const counts = replicas.reduce((sum, [, count]) => sum + count, 0);
  assert.equal(total, BigInt(counts) * 60_000n * 8n);
});
