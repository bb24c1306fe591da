/** Finds the model in a multipart form that passes by: a file before it is kept, a file behind it is streamed. */

import { Readable } from "node:stream";
import { Fault, problem } from "../domain/fault.ts";
import type { KeptBody } from "./body-reader.ts";
import { checkedModel } from "./json-request.ts";

const HEADERS_BYTES_MAX = 8 * 1024;
const VALUE_BYTES_MAX = 1024;
const CRLF = "\r\n";

interface FoundModel {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** Reads a form's parts, chunk by chunk, for the value of the field `model`. */
export class FormScan {
  model: FoundModel | undefined;
  readonly #delimiter: Buffer;
  /** Bytes that are not read yet, and the place of the first of them. The first delimiter has no line before it. */
  #rest: Buffer = Buffer.from(CRLF);
  #offset = -CRLF.length;
  #state: "body" | "headers" | "end" = "body";
  /** The part being read is the model's. */
  #isModel = false;

  constructor(boundary: string) {
    this.#delimiter = Buffer.from(`${CRLF}--${boundary}`, "latin1");
  }

  /** @throws Fault for a form that cannot be read, or names a second model. */
  feed(chunk: Buffer): void {
    if (this.#state === "end") return;
    this.#rest = Buffer.concat([this.#rest, chunk]);
    while (this.#state === "body" ? this.#body() : this.#state === "headers" && this.#headers());
  }

  /** Each reads one thing and says whether there is more to read. */
  #body(): boolean {
    const at = this.#rest.indexOf(this.#delimiter);
    if (at < 0) {
      if (!this.#isModel) this.#skip(Math.max(0, this.#rest.length - this.#delimiter.length));
      else if (this.#rest.length > VALUE_BYTES_MAX + this.#delimiter.length) throw unreadable("model is too long");
      return false;
    }
    if (this.#isModel) this.#found(at);
    this.#skip(at + this.#delimiter.length);
    this.#state = "headers";
    return true;
  }

  #headers(): boolean {
    if (this.#rest.length >= 2 && this.#rest.toString("latin1", 0, 2) === "--") {
      this.#state = "end";
      return false;
    }
    const at = this.#rest.indexOf(CRLF + CRLF);
    if (at < 0) {
      if (this.#rest.length > HEADERS_BYTES_MAX) throw unreadable("a part's headers are too long");
      return false;
    }
    this.#isModel = nameOf(this.#rest.toString("utf8", 0, at)) === "model";
    this.#skip(at + 2 * CRLF.length);
    this.#state = "body";
    return true;
  }

  #found(end: number): void {
    if (this.model) throw new Fault(problem("repeated_field", "model"));
    const text = checkedModel(this.#rest.toString("utf8", 0, end));
    this.model = { text, start: this.#offset, end: this.#offset + end };
  }

  #skip(bytes: number): void {
    this.#rest = this.#rest.subarray(bytes);
    this.#offset += bytes;
  }
}

function unreadable(reason: string): Fault {
  return new Fault(problem("bad_request", "body", { reason: `it is no multipart form: ${reason}` }));
}

const PARAMETER = /;\s*([\w*-]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;\s"]*)/y;

/**
 * The field's name of a part, read in order so that a file's name cannot pass for it.
 * @throws Fault for a part that has two names: one upstream goes by the first, another by the last.
 */
function nameOf(headers: string): string | undefined {
  const [line, ...others] = headers.split(CRLF).filter((one) => /^content-disposition\s*:/i.test(one));
  if (line === undefined) return undefined;
  const names: string[] = [];
  PARAMETER.lastIndex = line.search(/;|$/);
  for (let match = PARAMETER.exec(line); match; match = PARAMETER.exec(line)) {
    const [, parameter = "", value = ""] = match;
    if (/^name(?:\*|$)/i.test(parameter)) names.push(value.replace(/^"|"$/g, "").replace(/\\(.)/g, "$1"));
  }
  if (names.length + others.length > 1) throw unreadable("a part has two names");
  return names[0];
}

/** The boundary that a content type names; undefined when it is no multipart form. */
export function boundaryOf(contentType: string): string | undefined {
  if (!/^multipart\/form-data\s*;/i.test(contentType)) return undefined;
  if (contentType.match(/;\s*boundary[*\d]*\s*=/gi)?.length !== 1) return undefined;
  const match = /;\s*boundary=(?:"([^"]{1,200})"|([^;\s"]{1,200}))/i.exec(contentType);
  return match?.[1] ?? match?.[2];
}

export interface FormRequest {
  readonly model: string;
  /** The whole form, with another model name where one is given, and how much longer it is for that. */
  edited(model: string): { readonly body: Readable; readonly addedBytes: number };
}

/**
 * Reads a form until its model is known.
 * @param into keeps what stands before the model and the chunk with it.
 * @throws Fault as FormScan does, and for a form without a model.
 */
export async function readFormRequest(stream: Readable, boundary: string, into: KeptBody): Promise<FormRequest> {
  const scan = new FormScan(boundary);
  const chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  while (!scan.model) {
    const next = await chunks.next();
    if (next.done) throw new Fault(problem("required", "model", { mend: "name a model" }));
    into.add(next.value);
    scan.feed(next.value);
  }
  const { text, start, end } = scan.model;
  return {
    model: text,
    edited(model) {
      const name = Buffer.from(model);
      const read = into.whole();
      const head = model === text ? read : Buffer.concat([read.subarray(0, start), name, read.subarray(end)]);
      async function* parts(): AsyncGenerator<Buffer> {
        yield head;
        into.release();
        for (let next = await chunks.next(); !next.done; next = await chunks.next()) {
          scan.feed(next.value);
          yield next.value;
        }
      }
      return { body: Readable.from(parts(), { objectMode: false }), addedBytes: name.length - (end - start) };
    },
  };
}
