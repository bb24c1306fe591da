import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { ATTO_PER_USD, moneyOfAtto, parseDecimal } from "../../src/domain/money.ts";
import { parseInstant } from "../../src/domain/time.ts";
import { loadPriceBook } from "../../src/rating/book.ts";
import { type Component, RATE_FIELDS, type RateAttributes } from "../../src/rating/price.ts";
import { priceEdges, type Tariff, unitRates } from "../../src/rating/rate.ts";

// The bills are Markdown for people with a pocket calculator: quantity x unit price = cost. This test reads the same
// tables and holds the real rating and the default book to every number in them.

const LIST = loadPriceBook("default", readFileSync(new URL("../../prices/default.yaml", import.meta.url), "utf8"));

type Row = Readonly<Record<string, string>>;

/** The rows of a section's table by their columns' names. */
function rowsOf(section: string): Row[] {
  const [head, , ...lines] = section.split("\n").filter((line) => line.startsWith("|"));
  const cells = (line: string): string[] =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim());
  const names = cells(head!);
  return lines.map((line) => Object.fromEntries(cells(line).map((cell, at) => [names[at]!, cell])));
}

/** Dollars with any number of decimals and commas, as attodollars; nothing is rounded. */
function atto(dollars: string): bigint {
  const { numerator, scale } = parseDecimal(dollars.replaceAll(",", ""))!;
  const value = numerator * ATTO_PER_USD;
  assert.equal(value % 10n ** BigInt(scale), 0n);
  return value / 10n ** BigInt(scale);
}

function printed(exact: bigint): string {
  const { units, nanos } = moneyOfAtto(exact);
  return `${BigInt(units).toLocaleString("en-US")}.${String(nanos).padStart(9, "0")}`;
}

function instant(text: string): number {
  const seconds = text.replace(/(T\d\d:\d\d)(Z|[+-])/, "$1:00$2");
  const read = parseInstant(seconds);
  assert.ok(read !== undefined, text);
  return read;
}

/** `USAGE_TYPE field=value ...` */
function attributesOf(text: string): RateAttributes {
  const [usageType, ...fields] = text.split(" ");
  const named = Object.fromEntries(fields.map((field) => field.split("=") as [string, string]));
  for (const name of Object.keys(named)) assert.ok((RATE_FIELDS as readonly string[]).includes(name), name);
  const nothing = Object.fromEntries(RATE_FIELDS.map((field) => [field, ""])) as RateAttributes;
  return { ...nothing, ...named, usageType: usageType! };
}

/** Checks one line of a bill; returns its cost by the list and as it is paid. */
function checkRow(tariff: Tariff, row: Row): { list: bigint; net: bigint } {
  const [start, end] = row.when!.split("/").map(instant) as [number, number?];
  const quantity = BigInt(row.quantity!.replaceAll(",", ""));
  if (end !== undefined) {
    assert.equal(BigInt(end - start), quantity, "the time that has gone by");
    assert.deepEqual(priceEdges(tariff, { start, end }), [], "no price changes inside");
  }
  const { list, net } = unitRates(tariff, attributesOf(row.usage!), start);
  const component = row.of as Component;
  const cost = quantity * net[component]!;
  assert.equal(net[component], atto(row["unit price $"]!));
  assert.equal(cost, atto(row["cost $"]!));
  assert.equal(printed(cost), row["printed $"]);
  if (row["list unit $"] !== undefined) {
    assert.equal(list[component], atto(row["list unit $"]));
    assert.equal(quantity * list[component]!, atto(row["list cost $"]!));
  } else assert.equal(net, list);
  return { list: quantity * list[component]!, net: cost };
}

for (const file of readdirSync(import.meta.dirname).filter((name) => name.endsWith(".md"))) {
  const [, ...sections] = readFileSync(new URL(file, import.meta.url), "utf8").split(/^## /m);
  for (const section of sections) {
    test(`${file}: ${section.slice(0, section.indexOf("\n"))}`, () => {
      const [, yaml] = /```yaml\n([\s\S]*?)```/.exec(section) ?? [];
      const contract = yaml === undefined ? undefined : loadPriceBook("contract", yaml, "contract");
      const rows = rowsOf(section);
      const lines = rows.filter((row) => row.usage !== "total");
      const total = { list: 0n, net: 0n };
      for (const row of lines) {
        const cost = checkRow({ list: LIST, contract }, row);
        total.list += cost.list;
        total.net += cost.net;
      }
      assert.ok(
        lines.length > 0 && rows.length - lines.length === (lines.length > 1 ? 1 : 0),
        "a total for many lines",
      );
      const last = rows.at(-1)!;
      assert.equal(total.net, atto(last["cost $"]!));
      assert.equal(printed(total.net), last["printed $"]);
      if (last["list cost $"] !== undefined) assert.equal(total.list, atto(last["list cost $"]));
    });
  }
}
