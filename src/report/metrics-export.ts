/** Every metered event of a range, one row each: the raw export behind `billing export-metrics` (contract, section 8). */

import { deploymentUsage } from "../accounts/deployment-usage.ts";
import type { Deployment } from "../accounts/records.ts";
import type { Accounts } from "../accounts/store.ts";
import { dayEdges, type Instant, type TimeRange } from "../domain/time.ts";
import {
  FIELD_AT,
  type KeptEvent,
  type Labels,
  METERS,
  type SeriesField,
  USAGE_TYPES,
  type UsageType,
} from "../domain/usage.ts";
import type { EventCursor, EventsPage, Ledger } from "../ledger/ledger.ts";
import { type ModelBucket, modelBucket } from "../rating/model-bucket.ts";
import type { PriceBook } from "../rating/price.ts";

interface MetricsSources {
  readonly ledger: Pick<Ledger, "events">;
  readonly accounts: Pick<Accounts, "keyEmails" | "userEmails" | "deploymentsForUsage">;
  readonly book: PriceBook;
}

/** What all events of a series share. */
export interface MetricsFacts extends ModelBucket {
  readonly email: string;
  readonly usageType: UsageType;
  readonly acceleratorType: string;
  /** The model that was called; for accelerators and training the one underneath. */
  readonly model: string;
}

export interface MetricsRow {
  readonly facts: MetricsFacts;
  readonly start: Instant;
  readonly end: Instant;
  /** Undefined for usage that is not metered by accelerator time. */
  readonly acceleratorMs: bigint | undefined;
  /** For training that is metered by tokens, the tokens it trained on. */
  readonly promptTokens: number;
  readonly cachedPromptTokens: number;
  readonly completionTokens: number;
}

/** Rows of one page; a million events are read fastest with some 2,000 at a time, and wait in little memory. */
const EVENTS_PER_PAGE = 2_000;
const METER_AT = Object.fromEntries(METERS.map((meter, at) => [meter, at])) as Record<(typeof METERS)[number], number>;

/**
 * The rows in pages: events that are not voided, in the order of their slot, then arrival; then the accelerator time of
 * the account's own deployments, a row for each UTC day and set of attributes, counted up to `now`. One page is read
 * while the one before is used, and no more.
 */
async function* metricsRows(
  sources: MetricsSources,
  account: string,
  range: TimeRange,
  now: Instant,
): AsyncGenerator<readonly MetricsRow[], void> {
  const read = (after?: EventCursor): Promise<EventsPage> => {
    const page = sources.ledger.events(account, { range, limit: EVENTS_PER_PAGE, ...(after && { after }) });
    // Nobody may be there to hear of a failure when the reading is given up.
    page.catch(() => {});
    return page;
  };
  let reading: Promise<EventsPage> | undefined = read();
  const [keyEmails, userEmails, deployments] = await Promise.all([
    sources.accounts.keyEmails(account),
    sources.accounts.userEmails(account),
    sources.accounts.deploymentsForUsage(account),
  ]);
  const factsOf = (labels: Labels): MetricsFacts => {
    const value = (field: SeriesField): string => labels[FIELD_AT[field]]!;
    const usageType = value("usageType") as UsageType;
    const model = USAGE_TYPES[usageType].stream === "SERVERLESS" ? value("model") : value("baseModel");
    const user = value("user");
    const email = keyEmails.get(value("apiKeyId")) || userEmails.get(user) || (user.includes("@") ? user : "");
    const acceleratorType = value("acceleratorType");
    return { email, usageType, acceleratorType, model, ...modelBucket(sources.book, usageType, model) };
  };
  while (reading) {
    const { events, next }: EventsPage = await reading;
    reading = next && read(next);
    const facts = new Map<Labels, MetricsFacts>();
    const rows: MetricsRow[] = [];
    for (const event of events) {
      if (event.voidedAt !== undefined) continue;
      let own = facts.get(event.series);
      if (!own) {
        own = factsOf(event.series);
        facts.set(event.series, own);
      }
      rows.push(rowOf(event, own));
    }
    if (rows.length > 0) yield rows;
  }
  for (const deployment of deployments) yield* deploymentPages(deployment, range, now, sources.book);
}

/** The rows in pages. The first is read at once, so that what fails at once is refused rather than cut off. */
export async function metricsPages(
  ...asked: Parameters<typeof metricsRows>
): Promise<AsyncIterable<readonly MetricsRow[]>> {
  const pages = metricsRows(...asked);
  const first = await pages.next();
  return (async function* () {
    try {
      if (!first.done) yield first.value;
      yield* pages;
    } finally {
      await pages.return();
    }
  })();
}

function rowOf(event: KeptEvent, facts: MetricsFacts): MetricsRow {
  const { time, quantities } = event;
  const meters = USAGE_TYPES[facts.usageType].meters as readonly string[];
  const trained = facts.usageType === "TRAINING_TOKEN_USAGE";
  return {
    facts,
    start: time,
    end: time,
    acceleratorMs: meters.includes("acceleratorMs") ? BigInt(quantities[METER_AT.acceleratorMs]!) : undefined,
    promptTokens: quantities[trained ? METER_AT.tokens : METER_AT.promptTokens]!,
    cachedPromptTokens: quantities[METER_AT.cachedPromptTokens]!,
    completionTokens: quantities[METER_AT.completionTokens]!,
  };
}

function* deploymentPages(
  deployment: Deployment,
  range: TimeRange,
  now: Instant,
  book: PriceBook,
): Generator<readonly MetricsRow[]> {
  const first = deployment.replicaChanges[0]?.time ?? now;
  const start = Math.max(range.start, first);
  const end = Math.min(range.end, now, deployment.deleteTime ?? now);
  if (start >= end) return;
  const inside = dayEdges({ start, end }, "UTC").filter((edge) => edge > start && edge < end);
  const edges = [start, ...inside, end];
  const usageType = "DEDICATED_DEPLOYMENT_USAGE";
  const rows = deploymentUsage(deployment, edges, now).map(
    ({ segment, acceleratorType, baseModel: model, acceleratorMs }) => ({
      facts: { email: "", usageType, acceleratorType, model, ...modelBucket(book, usageType, model) } as const,
      start: edges[segment]!,
      end: edges[segment + 1]!,
      acceleratorMs,
      promptTokens: 0,
      cachedPromptTokens: 0,
      completionTokens: 0,
    }),
  );
  if (rows.length > 0) yield rows.filter(({ acceleratorMs }) => acceleratorMs > 0n);
}
