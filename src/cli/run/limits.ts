/** Budgets of keys and tags: one request each, and its answer. */

import { grouped } from "../../render/usage-text.ts";
import { type Context, lastSegment, pathPart } from "../context.ts";
import { type ShownField, showList, showOne, tagsText, timeText } from "../show.ts";
import { readTags, wholeNumber } from "./records.ts";

interface Budget {
  readonly name: string;
  readonly apiKeyId?: string;
  readonly annotation?: Readonly<Record<string, string>>;
  readonly monthlyUsd?: string;
  readonly updateTime?: string;
}

function holds({ apiKeyId, annotation }: Budget): string {
  return apiKeyId ?? tagsText(annotation);
}

const dollars = ({ monthlyUsd = "" }: Budget): string => `$${grouped(String(monthlyUsd))}`;

const BUDGET_COLUMNS: readonly ShownField<Budget>[] = [
  { title: "ID", of: ({ name }) => lastSegment(name) },
  { title: "HOLDS", shortens: true, of: holds },
  { title: "A MONTH", align: "right", of: dollars },
  { title: "UPDATED", of: ({ updateTime }) => timeText(updateTime) },
];

function budgetFields(budget: Budget): Record<string, string> {
  return {
    id: lastSegment(budget.name),
    holds: holds(budget),
    "a month": dollars(budget),
    updated: timeText(budget.updateTime),
  };
}

async function budgetPath(context: Context, id = ""): Promise<string> {
  return context.path(`/budgets/${pathPart(lastSegment(id))}`);
}

interface CreateFlags {
  readonly monthlyUsd: string;
  readonly keyId?: string;
  readonly annotation?: string;
}

export async function createBudget(
  context: Context,
  { monthlyUsd, keyId, annotation }: CreateFlags,
  [name = ""]: readonly string[],
): Promise<void> {
  const body = {
    name,
    ...(keyId !== undefined && { apiKeyId: keyId }),
    ...(annotation !== undefined && { annotation: readTags([annotation], "--annotation") }),
    monthlyUsd: wholeNumber(monthlyUsd, "--monthly-usd"),
  };
  const made = await context.call({ method: "POST", path: await context.path("/budgets"), body });
  if (made !== undefined) showOne(context, made, budgetFields);
}

export async function listBudgets(context: Context): Promise<void> {
  const records = await context.list(await context.path("/budgets"), "budgets");
  if (records) showList(context, { name: "budgets", records }, BUDGET_COLUMNS);
}

export async function updateBudget(
  context: Context,
  { monthlyUsd }: Pick<CreateFlags, "monthlyUsd">,
  [id]: readonly string[],
): Promise<void> {
  const body = { monthlyUsd: wholeNumber(monthlyUsd, "--monthly-usd") };
  const budget = await context.call({ method: "PATCH", path: await budgetPath(context, id), body });
  if (budget !== undefined) showOne(context, budget, budgetFields);
}

export async function deleteBudget(context: Context, _: object, [id = ""]: readonly string[]): Promise<void> {
  const gone = await context.call({ method: "DELETE", path: await budgetPath(context, id) });
  if (gone !== undefined) showOne(context, gone, () => ({ deleted: lastSegment(id) }));
}
