/** Cuts a stream of server-sent events into its events, and scans the JSON of each as it comes. */

import type { JsonScan } from "./json-scan.ts";

const NEWLINE = 0x0a;
const RETURN = 0x0d;
const SPACE = 0x20;
const DATA = Buffer.from("data:");
const DONE = Buffer.from("[DONE]");

/** Told at the end of each event. */
export interface SseEvent {
  /** The place in the chunk behind the empty line that ends the event. */
  readonly end: number;
  /** True for the `[DONE]` that ends OpenAI's streams. */
  readonly isDone: boolean;
}

export class SseReader {
  readonly #scan: JsonScan;
  readonly #onEvent: (event: SseEvent) => void;
  /** Bytes of the line so far, without its end. */
  #lineBytes = 0;
  /** The line's name is `data`, as far as it was read. */
  #isData = true;
  #hasLines = false;
  /** The first bytes of the event's data. */
  #head: number[] = [];

  /** @param scan is given the data of each event, and made ready for the next when `onEvent` returns. */
  constructor(scan: JsonScan, onEvent: (event: SseEvent) => void) {
    this.#scan = scan;
    this.#onEvent = onEvent;
  }

  feed(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      const newline = chunk.indexOf(NEWLINE, at);
      const stop = newline < 0 ? chunk.length : newline;
      this.#line(chunk.subarray(at, stop));
      if (newline < 0) return;
      this.#lineEnds(newline + 1);
      at = newline + 1;
    }
  }

  #line(part: Buffer): void {
    let at = 0;
    for (; at < part.length && this.#lineBytes < DATA.length; at += 1) {
      const byte = part[at]!;
      if (byte === RETURN && this.#lineBytes === 0) continue;
      if (byte !== DATA[this.#lineBytes]) this.#isData = false;
      this.#lineBytes += 1;
    }
    if (at === part.length) return;
    this.#lineBytes += part.length - at;
    if (!this.#isData) return;
    const data = part.subarray(at);
    for (let i = 0; i < data.length && this.#head.length < DONE.length; i += 1) {
      if (this.#head.length > 0 || data[i] !== SPACE) this.#head.push(data[i]!);
    }
    this.#scan.feed(data);
  }

  #lineEnds(end: number): void {
    const isEmpty = this.#lineBytes === 0;
    this.#lineBytes = 0;
    this.#isData = true;
    if (!isEmpty) {
      this.#hasLines = true;
      return;
    }
    if (!this.#hasLines) return;
    this.#onEvent({
      end,
      isDone: this.#head.length === DONE.length && this.#head.every((byte, at) => byte === DONE[at]),
    });
    this.#hasLines = false;
    this.#head = [];
    this.#scan.reset();
  }
}
