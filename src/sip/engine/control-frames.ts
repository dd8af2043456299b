// Frames of the drachtio control protocol: `LEN#ID|command|...` with an optional SIP text behind CR LF. LEN counts octets;
// texts are one character per octet.
import { randomUUID } from 'node:crypto';
import { ByteQueue } from './byte-queue.ts';

/** Octets of the largest frame an application may send. */
export const LARGEST_FRAME = 1_048_576;

/** One frame from an application. */
export interface Frame {
  /** Fields of the first line. */
  readonly fields: readonly string[];
  /** What follows the first CR LF, or undefined when there is none. */
  readonly text: Buffer | undefined;
}

/** Cuts an octet stream into frames; 'broken' when the length is no number or too large. */
export class FrameReader {
  readonly #octets = new ByteQueue();

  append(chunk: Buffer): void {
    this.#octets.append(chunk);
  }

  /** @param limit octets of the largest frame accepted now */
  next(limit: number): Frame | 'broken' | undefined {
    const view = this.#octets.view();
    let length = 0;
    let at = 0;
    for (; ; at++) {
      const code = view[at];
      if (code === undefined) return at > 7 ? 'broken' : undefined;
      if (code === 35) break;
      if (code < 48 || code > 57) return 'broken';
      length = length * 10 + code - 48;
      if (length > limit) return 'broken';
    }
    if (at === 0 || length === 0) return 'broken';
    const start = at + 1;
    if (view.length < start + length) return undefined;
    const line = view.indexOf('\r\n', start, 'latin1');
    const split = line >= 0 && line < start + length ? line : start + length;
    const fields = view.toString('latin1', start, split).split('|');
    // A copy, because the next append may move what the view shows.
    const text = split < start + length ? Buffer.from(view.subarray(split + 2, start + length)) : undefined;
    this.#octets.drop(start + length);
    return { fields, text };
  }
}

/** A whole frame with a fresh message id. */
export function frame(line: string, text: string): string {
  const length = 36 + 1 + line.length + (text === '' ? 0 : text.length + 2);
  return text === '' ? `${length}#${randomUUID()}|${line}` : `${length}#${randomUUID()}|${line}\r\n${text}`;
}

let second = -1;
let secondText = '';

/** Time of day in UTC, `HH:MM:SS.ffffff`. @param wallTime milliseconds since 1970 */
export function timeText(wallTime: number): string {
  const now = Math.floor(wallTime / 1000);
  if (now !== second) {
    second = now;
    secondText = new Date(now * 1000).toISOString().slice(11, 19);
  }
  return `${secondText}.${String(Math.floor(wallTime % 1000)).padStart(3, '0')}000`;
}
