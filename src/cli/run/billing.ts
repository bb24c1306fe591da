/** Invoices and notification settings. */

import { readFileSync } from "node:fs";
import { whyUnreadable } from "../../domain/unreadable.ts";
import { nanosOfMoney, type WireMoney } from "../../render/usage-answer.ts";
import { dollarText, grouped } from "../../render/usage-text.ts";
import { type Context, lastSegment } from "../context.ts";
import { quoted, wrongWords } from "../refusal.ts";
import { type ShownField, showList, showOne, timeText } from "../show.ts";

interface Invoice {
  readonly name: string;
  readonly state?: string;
  readonly startTime?: string;
  readonly endTime?: string;
  readonly amount?: WireMoney;
  readonly subtotal?: WireMoney;
  readonly priceBookVersion?: string;
  readonly contractVersion?: string;
  readonly unpricedQuantities?: readonly object[];
}

const INVOICE_COLUMNS: readonly ShownField<Invoice>[] = [
  { title: "INVOICE", of: ({ name }) => lastSegment(name) },
  { title: "STATE", of: ({ state = "" }) => state },
  { title: "FROM", of: ({ startTime = "" }) => startTime.slice(0, 10) },
  { title: "TO", of: ({ endTime = "" }) => endTime.slice(0, 10) },
  { title: "PRICE BOOK", of: bookText },
];
const AMOUNT: ShownField<Invoice> = { title: "AMOUNT", align: "right", of: amountText };
const LIST: ShownField<Invoice> = { title: "LIST", align: "right", of: ({ subtotal }) => listText(subtotal) };

function listText(subtotal: WireMoney | undefined): string {
  return subtotal ? dollarText(nanosOfMoney(subtotal)) : "";
}

/** The versions that the invoice is billed by. */
function bookText({ priceBookVersion = "", contractVersion }: Invoice): string {
  return contractVersion === undefined ? priceBookVersion : `${priceBookVersion}, contract ${contractVersion}`;
}

function isDiscounted({ amount, subtotal }: Invoice): boolean {
  return amount !== undefined && subtotal !== undefined && nanosOfMoney(amount) !== nanosOfMoney(subtotal);
}

/** A + where some usage has no price and is left out. */
function amountText({ amount, unpricedQuantities = [] }: Invoice): string {
  return `${amount ? dollarText(nanosOfMoney(amount)) : ""}${unpricedQuantities.length > 0 ? "+" : ""}`;
}

export async function listInvoices(context: Context, flags: { readonly showPending?: boolean }): Promise<void> {
  const query = flags.showPending ? "?showPending=true" : "";
  const records = await context.list(await context.path(`/billing/invoices${query}`), "invoices");
  if (!records) return;
  const invoices = records as unknown as readonly Invoice[];
  const amounts = invoices.some(isDiscounted) ? [LIST, AMOUNT] : [AMOUNT];
  showList(context, { name: "invoices", records }, [...INVOICE_COLUMNS, ...amounts]);
  const unpriced = invoices.some((one) => (one.unpricedQuantities ?? []).length > 0);
  if (unpriced && context.output === "text") context.print("\n+ some usage has no price; the amount leaves it out.");
}

interface NotificationSettings {
  readonly monthlySpendUsdThresholds?: readonly string[];
  readonly webhookUrl?: string;
  readonly updateTime?: string;
}

const SETTINGS = "/billing/notificationSettings";

function settingsFields(settings: NotificationSettings): Record<string, string> {
  const { monthlySpendUsdThresholds = [], webhookUrl = "", updateTime } = settings;
  const dollars = monthlySpendUsdThresholds.map((threshold) => `$${grouped(String(threshold))}`);
  return {
    "monthly spend thresholds": dollars.join(", ") || "none",
    webhook: webhookUrl,
    updated: timeText(updateTime),
  };
}

export async function getNotificationSettings(context: Context): Promise<void> {
  const settings = await context.call({ method: "GET", path: await context.path(SETTINGS) });
  if (settings !== undefined) showOne(context, settings, settingsFields);
}

interface SettingsFlags {
  readonly monthlySpendUsdThresholds?: string;
  readonly webhookUrl?: string;
  readonly webhookSecretFile?: string;
}

export async function updateNotificationSettings(context: Context, flags: SettingsFlags): Promise<void> {
  const { monthlySpendUsdThresholds: text, webhookUrl, webhookSecretFile } = flags;
  if (text === undefined && webhookUrl === undefined && webhookSecretFile === undefined) {
    throw wrongWords("nothing is named to change; use --monthly-spend-usd-thresholds, --webhook-url or both");
  }
  const body = {
    ...(text !== undefined && { monthlySpendUsdThresholds: readThresholds(text) }),
    ...(webhookUrl !== undefined && { webhookUrl }),
    ...(webhookSecretFile !== undefined && { webhookSecret: readSecret(webhookSecretFile) }),
  };
  const path = await context.path(SETTINGS);
  const shown = { ...body, ...(webhookSecretFile !== undefined && { webhookSecret: "..." }) };
  if (context.showDry([{ method: "PATCH", path, body: shown }])) return;
  const { json } = await context.client.call({ method: "PATCH", path, body });
  showOne(context, json, settingsFields);
}

function readThresholds(text: string): string[] {
  const thresholds = text.split(",").map((one) => one.trim());
  const wrong = text.trim() === "" ? undefined : thresholds.find((one) => !/^\d{1,18}$/.test(one));
  if (wrong !== undefined) {
    const flag = "--monthly-spend-usd-thresholds";
    throw wrongWords(`${flag}: ${quoted(wrong)} is not a number of whole dollars; use such as 500,800`);
  }
  return thresholds.filter((one) => one !== "");
}

/** From a file: a secret on the command line would be in every list of processes. */
function readSecret(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch (error) {
    throw wrongWords(`--webhook-secret-file: ${quoted(path)} cannot be read: ${whyUnreadable(error)}`);
  }
}
