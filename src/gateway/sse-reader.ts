/** Cuts a stream of server-sent events into its events, and scans the JSON of each as it comes. */

import type { JsonScan } from "./json-scan.ts";

const NEWLINE = 0x0a;
const RETURN = 0x0d;
const SPACE = 0x20;
const DATA = Buffer.from("data:");
const DONE = Buffer.from("[DONE]");
const NO_MATCH = -1;

/**
 * Told at the end of each event.
 * @param end the place in the chunk behind the empty line that ends the event.
 * @param isDone true for the `[DONE]` that ends OpenAI's streams.
 */
type OnEvent = (end: number, isDone: boolean) => void;

export class SseReader {
  readonly #scan: JsonScan;
  readonly #onEvent: OnEvent;
  /** Bytes of the line so far, without its end. */
  #lineBytes = 0;
  /** The line's name is `data`, as far as it was read. */
  #isData = true;
  #hasLines = false;
  /** How many bytes of {@link DONE} the event's data begins with. */
  #doneBytes = 0;

  /** @param scan is given the data of each event, and made ready for the next when `onEvent` returns. */
  constructor(scan: JsonScan, onEvent: OnEvent) {
    this.#scan = scan;
    this.#onEvent = onEvent;
  }

  feed(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      const newline = chunk.indexOf(NEWLINE, at);
      const stop = newline < 0 ? chunk.length : newline;
      this.#line(chunk, at, stop);
      at = stop;
      if (newline < 0) break;
      at += 1;
      this.#lineEnds(at);
    }
    this.#scan.keepFound();
  }

  /** Ends the event that the stream's end has cut off from its empty line. */
  end(): void {
    if (this.#lineBytes > 0) this.#lineEnds(0);
    this.#lineEnds(0);
  }

  #line(chunk: Buffer, from: number, stop: number): void {
    let at = from;
    for (; at < stop && this.#lineBytes < DATA.length; at += 1) {
      const byte = chunk[at];
      if (byte === RETURN && this.#lineBytes === 0) continue;
      if (byte !== DATA[this.#lineBytes]) this.#isData = false;
      this.#lineBytes += 1;
    }
    if (at === stop) return;
    this.#lineBytes += stop - at;
    if (!this.#isData) return;
    this.#matchDone(chunk, at, stop);
    this.#scan.feed(chunk, at, stop);
  }

  #matchDone(chunk: Buffer, from: number, stop: number): void {
    for (let at = from; at < stop && this.#doneBytes >= 0 && this.#doneBytes < DONE.length; at += 1) {
      const byte = chunk[at];
      if (byte === DONE[this.#doneBytes]) this.#doneBytes += 1;
      else if (byte !== SPACE || this.#doneBytes > 0) this.#doneBytes = NO_MATCH;
    }
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
    this.#onEvent(end, this.#doneBytes === DONE.length);
    this.#hasLines = false;
    this.#doneBytes = 0;
    this.#scan.reset();
  }
}
