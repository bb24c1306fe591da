/** One kept usage event on the wire, in the words it was written in. */

import { formatInstant } from "../domain/time.ts";
import { FIELD_AT, type KeptEvent, METER_WIRE_FIELD, METERS, SERIES_FIELDS } from "../domain/usage.ts";

const TAGS = ["team", "project", "environment"] as const;

/** What was sent, empty fields left out, and `voidTime` where it was voided. */
export function eventWire(event: KeptEvent): Readonly<Record<string, unknown>> {
  const wire: Record<string, unknown> = { id: event.id, time: formatInstant(event.time) };
  for (const [at, field] of SERIES_FIELDS.entries()) {
    const value = event.sent[at]!;
    if (value !== "" && !(TAGS as readonly string[]).includes(field)) wire[field] = field === "batch" ? true : value;
  }
  for (const [at, meter] of METERS.entries()) {
    const quantity = event.quantities[at]!;
    const inSeconds = METER_WIRE_FIELD[meter].endsWith("Seconds");
    if (quantity !== 0) wire[METER_WIRE_FIELD[meter]] = inSeconds ? quantity / 1000 : quantity;
  }
  const annotations = TAGS.filter((tag) => event.sent[FIELD_AT[tag]] !== "");
  if (annotations.length > 0) {
    wire.annotations = Object.fromEntries(annotations.map((tag) => [tag, event.sent[FIELD_AT[tag]]!]));
  }
  if (event.voidedAt !== undefined) wire.voidTime = formatInstant(event.voidedAt);
  return wire;
}

/** The event as JSON text. */
export function eventJson(event: KeptEvent): string {
  return JSON.stringify(eventWire(event));
}
