// Answers as JSON lines: a client takes them as they come, and nobody needs room for all of them.
import { once } from 'node:events';
import type { Response } from 'express';

/** Characters that are sent at once. */
const portion = 65_536;

/** Sends each value on a line of its own, at the pace of who reads; a client that goes away ends the work. */
export async function sendJsonLines(response: Response, values: AsyncIterable<unknown>): Promise<void> {
  response.type('application/x-ndjson');
  let lines = '';
  let sent = Date.now();
  for await (const value of values) {
    lines += `${JSON.stringify(value)}\n`;
    // What comes slowly is shown as it comes.
    if (lines.length < portion && Date.now() - sent < 1000) continue;
    if (!response.write(lines)) await Promise.race([once(response, 'drain'), once(response, 'close')]);
    lines = '';
    sent = Date.now();
    if (response.closed || response.destroyed) return;
  }
  response.end(lines);
}
