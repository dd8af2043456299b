// Splits the bytes of one direction of an HTTP/1.1 connection into messages with a Content-Length body.
// Enough to watch two gateways, which always send Content-Length.

export interface HttpMessage {
  readonly startLine: string;
  /** Lower-case names; a repeated header keeps its last value. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
  /** Head and body as they came. */
  readonly raw: Buffer;
}

export class HttpMessageReader {
  readonly #onMessage: (message: HttpMessage) => void;
  readonly #hasBody: (startLine: string) => boolean;
  #pending: Buffer = Buffer.alloc(0);

  /** `hasBody` tells whether a Content-Length header of this message announces bytes (not so for 304 and answers to HEAD). */
  constructor(onMessage: (message: HttpMessage) => void, hasBody: (startLine: string) => boolean) {
    this.#onMessage = onMessage;
    this.#hasBody = hasBody;
  }

  push(chunk: Buffer): void {
    this.#pending = Buffer.concat([this.#pending, chunk]);
    for (let message = this.#next(); message !== undefined; message = this.#next()) this.#onMessage(message);
  }

  #next(): HttpMessage | undefined {
    const headEnd = this.#pending.indexOf('\r\n\r\n');
    if (headEnd < 0) return undefined;
    const [startLine = '', ...lines] = this.#pending.toString('latin1', 0, headEnd).split('\r\n');
    const headers = new Map(
      lines.map((line): [string, string] => {
        const colon = line.indexOf(':');
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
      }),
    );
    const length = this.#hasBody(startLine) ? Number(headers.get('content-length') ?? 0) : 0;
    const end = headEnd + 4 + length;
    if (this.#pending.length < end) return undefined;
    const body = this.#pending.toString('utf8', headEnd + 4, end);
    const raw = Buffer.from(this.#pending.subarray(0, end));
    this.#pending = this.#pending.subarray(end);
    return { startLine, headers, body, raw };
  }
}
