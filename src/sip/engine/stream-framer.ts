// Messages on a stream: framed by Content-Length, which is mandatory there (RFC 3261 18.3, 20.14), with the keep-alive
// of RFC 5626 3.5.1 between them.
import { ByteQueue } from './byte-queue.ts';
import type { SipMessage } from './message.ts';
import { finish, HEAD_LIMIT, type Head, readHead, type Unparsed } from './parse-message.ts';

/** Octets of the largest body taken from a stream; more is 413 and the end of the connection. */
export const BODY_LIMIT = 1_000_000;

/** What the framer reports to its connection. */
export interface FramerEvents {
  message(message: SipMessage | Unparsed): void;
  /** A keep-alive ping (CRLF CRLF) arrived. */
  ping(): void;
  /** The stream cannot be followed any further; called once, after the message that says why. */
  lost(): void;
}

export class StreamFramer {
  readonly #octets = new ByteQueue();
  readonly #events: FramerEvents;
  #head: Head | undefined;
  #searched = 0;
  #ended = false;

  constructor(events: FramerEvents) {
    this.#events = events;
  }

  /** True while a message has begun and is not complete; a lone CRLF between messages is none. */
  get partial(): boolean {
    return this.#head !== undefined || this.#octets.length > 2;
  }

  push(chunk: Buffer): void {
    if (this.#ended) return;
    this.#octets.append(chunk);
    while (!this.#ended && this.#step());
  }

  #step(): boolean {
    return this.#head ? this.#takeBody(this.#head) : this.#takeHead();
  }

  #takeHead(): boolean {
    const view = this.#octets.view();
    if (view[0] === 13 && (view.length < 2 || view[1] === 10)) {
      if (view.length < 4 && !(view.length === 3 && view[2] !== 13)) return false;
      const ping = view[2] === 13 && view[3] === 10;
      if (ping) this.#events.ping();
      this.#octets.drop(ping ? 4 : 2);
      return this.#octets.length > 0;
    }
    const end = view.indexOf('\r\n\r\n', this.#searched, 'latin1');
    if (end < 0) {
      this.#searched = Math.max(0, view.length - 3);
      if (view.length > HEAD_LIMIT) this.#end(finish(readHead(view, 0, view.length, 'header too large'), ''));
      return false;
    }
    this.#searched = 0;
    const head = readHead(view, 0, end, '');
    const length = head.contentLength;
    if (length === undefined || head.status === 0 || head.wrong.includes('Content-Length')) {
      this.#end(finish(head, '', 'no valid Content-Length on a stream'));
      return false;
    }
    if (length > BODY_LIMIT) {
      this.#end(finish({ ...head, wrong: 'body too large', status: 413 }, ''));
      return false;
    }
    this.#octets.drop(head.size);
    this.#head = head;
    return true;
  }

  #takeBody(head: Head): boolean {
    const length = head.contentLength ?? 0;
    if (this.#octets.length < length) return false;
    const body = length === 0 ? '' : this.#octets.view().toString('latin1', 0, length);
    this.#octets.drop(length);
    this.#head = undefined;
    this.#events.message(finish(head, body));
    return this.#octets.length > 0;
  }

  #end(message: SipMessage | Unparsed): void {
    this.#ended = true;
    this.#events.message(message);
    this.#events.lost();
  }
}
