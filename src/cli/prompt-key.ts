/** Reading a key: from a terminal without showing it, or from a pipe. */

import type { ReadStream, WriteStream } from "node:tty";
import { EXIT, Refusal, wrongWords } from "./refusal.ts";

const CTRL_C = "\u0003";
const CTRL_D = "\u0004";
const CTRL_U = "\u0015";
const PASTE_MARKS = ["\u001b[200~", "\u001b[201~"];
const ERASE = ["\u007f", "\b"];

/** Asks on the terminal; nothing that is typed appears. */
export async function askHidden(stdin: ReadStream, out: WriteStream, question: string): Promise<string> {
  // Hidden before it is asked for: an answer can come at once.
  stdin.setRawMode(true);
  out.write(question);
  stdin.setEncoding("utf8");
  let typed = "";
  try {
    for await (const chunk of stdin) {
      // A paste comes as one chunk, with the marks of a bracketed paste on some terminals.
      for (const character of PASTE_MARKS.reduce((text, mark) => text.replaceAll(mark, ""), String(chunk))) {
        if (character === "\r" || character === "\n" || character === CTRL_D) return typed;
        if (character === CTRL_C) throw new Refusal(EXIT.interrupted, "interrupted; nothing was written");
        if (ERASE.includes(character)) typed = typed.slice(0, -1);
        else if (character === CTRL_U) typed = "";
        else typed += character;
      }
    }
    return typed;
  } finally {
    stdin.setRawMode(false);
    stdin.pause();
    out.write("\n");
  }
}

/** All of a pipe. @throws Refusal when it holds more than `max` characters. */
export async function readAll(stdin: ReadStream, max: number): Promise<string> {
  let text = "";
  stdin.setEncoding("utf8");
  for await (const chunk of stdin) {
    text += chunk;
    if (text.length > max) throw wrongWords("--api-key -: standard input holds more than a key; pipe the key alone");
  }
  return text;
}
