/** Gives usage events the tags and facts of the keys and deployments they name, and their context class. Pure. */

import { TAG_NAMES } from "../domain/annotations.ts";
import {
  CONTEXT_CLASS_EDGES,
  contextClassOf,
  FIELD_AT,
  type Labels,
  METERS,
  placeIn,
  type SeriesField,
  type UsageBatch,
  usageTypesOf,
} from "../domain/usage.ts";
import type { DeploymentFacts, KeyFacts } from "./records.ts";

/** Fields that usage of a dedicated deployment takes from the deployment where the client sent none. */
const DEPLOYMENT_FIELDS = ["acceleratorType", "placement", "baseModel"] as const satisfies readonly SeriesField[];

const PROMPT_AT = METERS.indexOf("promptTokens");
const SERVERLESS: ReadonlySet<string> = new Set(usageTypesOf("SERVERLESS"));

/** The distinct keys and deployments that a batch names, as it names them. */
export function mentioned(batch: UsageBatch): { apiKeyIds: string[]; deployments: string[] } {
  return { apiKeyIds: distinct(batch, "apiKeyId"), deployments: distinct(batch, "deployment") };
}

function distinct(batch: UsageBatch, field: SeriesField): string[] {
  const at = FIELD_AT[field];
  return [...new Set(batch.labels.map((labels) => labels[at]!))].filter((value) => value !== "");
}

/** What these labels count under: a tag is the one sent, else the key's, else the deployment's (contract, section 6). */
function seriesOf(sent: Labels, key: KeyFacts | undefined, deployment: DeploymentFacts | undefined): Labels {
  if (!key && !deployment) return sent;
  const series = [...sent];
  for (const tag of TAG_NAMES) {
    series[FIELD_AT[tag]] ||= key?.annotations[tag] ?? deployment?.annotations[tag] ?? "";
  }
  if (deployment && sent[FIELD_AT.usageType] === "DEDICATED_DEPLOYMENT_USAGE") {
    for (const field of DEPLOYMENT_FIELDS) series[FIELD_AT[field]] ||= deployment[field];
  }
  return series;
}

/**
 * The batch with the series of each event made from its sent labels, which stay. Facts are looked up by key id and by
 * deployment as the batch names them; what is not in the maps adds nothing. Works once per distinct set of labels, and
 * once more for each class of long prompts that such a set meets.
 */
export function enrich(
  batch: UsageBatch,
  keys: ReadonlyMap<string, KeyFacts>,
  deployments: ReadonlyMap<string, DeploymentFacts>,
): UsageBatch {
  const labels = [...batch.labels];
  const placeOf = placeIn(labels);
  const seriesAt = Uint32Array.from(batch.labels, (sent, at) => {
    const key = keys.get(sent[FIELD_AT.apiKeyId]!);
    const series = seriesOf(sent, key, deployments.get(sent[FIELD_AT.deployment]!));
    return series === sent ? at : placeOf(series);
  });
  const series = batch.sent.map((at) => seriesAt[at]!);
  classifyLong(series, batch.quantities, labels, placeOf);
  return { ...batch, labels, series };
}

/** Gives each serverless event with a long prompt the series of its context class; most events are passed over. */
function classifyLong(
  series: Uint32Array,
  quantities: Float64Array,
  labels: readonly Labels[],
  placeOf: (labels: Labels) => number,
): void {
  const known = new Map<string, Map<number, number>>();
  for (let event = 0; event < series.length; event += 1) {
    const promptTokens = quantities[event * METERS.length + PROMPT_AT]!;
    if (promptTokens <= CONTEXT_CLASS_EDGES[0]) continue;
    const at = series[event]!;
    if (!SERVERLESS.has(labels[at]![FIELD_AT.usageType]!)) continue;
    const contextClass = contextClassOf(promptTokens);
    const ofClass = known.get(contextClass) ?? new Map<number, number>();
    known.set(contextClass, ofClass);
    const place = ofClass.get(at) ?? placeOf(labels[at]!.with(FIELD_AT.contextClass, contextClass));
    ofClass.set(at, place);
    series[event] = place;
  }
}
