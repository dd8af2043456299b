// Raw HTTP over sockets for tests: what is written and read is exactly these octets.
import { connect, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import type { FaceLog } from './http-listener.ts';

export interface WireAnswer {
  readonly status: number;
  readonly head: string;
  /** Field values by lower-case name, several joined with `, `. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** One connection that reads answers one after the other. */
export class Wire {
  readonly #socket: Socket;
  #received = '';
  #closed = false;
  #wake: () => void = () => undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      this.#received += text;
      this.#wake();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#closed = true;
      this.#wake();
    });
  }

  static async open(url: string, tls?: ConnectionOptions): Promise<Wire> {
    const { hostname, port } = new URL(url);
    const options = { host: hostname, port: Number(port) };
    return new Promise((resolve, reject) => {
      const socket: Socket = tls
        ? connectTls({ ...options, ...tls }, () => resolve(new Wire(socket)))
        : connect(options, () => resolve(new Wire(socket)));
      socket.once('error', reject);
    });
  }

  /** Writes text as Latin-1 octets. */
  write(text: string): void {
    this.#socket.write(text, 'latin1');
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** The next complete answer; undefined when the connection ended instead. */
  async answer(method = 'GET'): Promise<WireAnswer | undefined> {
    if (!(await this.#until(() => this.#received.includes('\r\n\r\n')))) return undefined;
    const headEnd = this.#received.indexOf('\r\n\r\n') + 4;
    const head = this.#received.slice(0, headEnd);
    const status = Number(head.slice(9, 12));
    const headers: Record<string, string> = {};
    for (const line of head.split('\r\n').slice(1, -2)) {
      const name = line.slice(0, line.indexOf(':')).toLowerCase();
      const value = line.slice(line.indexOf(':') + 1).trim();
      headers[name] = name in headers ? `${headers[name]}, ${value}` : value;
    }
    const bodiless = method === 'HEAD' || status === 304 || status < 200;
    const length = bodiless ? 0 : Number(headers['content-length'] ?? 0);
    await this.#until(() => this.#received.length >= headEnd + length);
    const body = this.#received.slice(headEnd, headEnd + length);
    this.#received = this.#received.slice(headEnd + length);
    return { status, head, headers, body };
  }

  /** Everything received until the other side closes. */
  async rest(): Promise<string> {
    while (!this.#closed) await this.#more();
    return this.#received;
  }

  async #until(arrived: () => boolean): Promise<boolean> {
    while (!arrived()) {
      if (this.#closed) return false;
      await this.#more();
    }
    return true;
  }

  #more(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
      if (this.#closed) resolve();
    });
  }
}

/** Sends one raw request on a connection of its own and reads the answer. */
export async function exchange(url: string, raw: string, tls?: ConnectionOptions): Promise<WireAnswer> {
  const wire = await Wire.open(url, tls);
  wire.write(raw);
  const answer = await wire.answer(raw.slice(0, raw.indexOf(' ')));
  wire.destroy();
  if (answer === undefined) throw new Error('the connection ended without an answer');
  return answer;
}

/** A raw request with the fields that every one needs. */
export function rawRequest(
  method: string,
  target: string,
  headers: Readonly<Record<string, string>> = {},
  body?: string,
): string {
  const all = {
    Host: 'gms.blue.example',
    ...(body === undefined ? {} : { 'Content-Length': String(body.length) }),
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n${body ?? ''}`;
}

/** A log that keeps what it is told. */
export function keptLog(): FaceLog & {
  readonly entries: { readonly level: string; readonly fields: object; readonly text: string }[];
} {
  const entries: { level: string; fields: object; text: string }[] = [];
  const keep =
    (level: string) =>
    (fields: object, text: string): void => {
      entries.push({ level, fields, text });
    };
  return { entries, info: keep('info'), warn: keep('warn'), error: keep('error') };
}
