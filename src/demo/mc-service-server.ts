// An MC service server as the demo plays it: a SIP subscriber of its own on a UDP socket, outside both gateways and sharing
// nothing with their SIP code, so that what it reports is what came over the wire.
import { randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';

/** One NOTIFY as it arrived. */
export interface Notification {
  readonly cseq: number;
  readonly subscriptionState: string;
  readonly documents: readonly NotifiedDocument[];
  readonly body: string;
}

/** A `document` of the xcap-diff body, RFC 5874 clause 4. */
export interface NotifiedDocument {
  readonly sel: string;
  readonly previousTag?: string | undefined;
  readonly newTag?: string | undefined;
}

export interface SubscriberOptions {
  /** PSI of the MC service server, asserted in P-Asserted-Identity. */
  readonly identity: string;
  /** PSI of its group management server. */
  readonly gms: string;
  readonly server: { readonly host: string; readonly port: number };
  /** Entries of the resource list, relative to the XCAP root. */
  readonly resources: readonly string[];
  readonly onNotification: (notification: Notification) => void;
}

const retransmitEvery = 500;

export class McServiceServer {
  readonly #options: SubscriberOptions;
  readonly #socket: Socket;
  readonly #callId = `${randomBytes(8).toString('hex')}@mcptt-server`;
  readonly #fromTag = randomBytes(6).toString('hex');
  #port = 0;
  #toTag = '';
  #cseq = 0;
  #lastNotifyCseq = 0;
  #onResponse: ((status: string) => void) | undefined;
  /** Set = new NOTIFYs are neither answered nor reported; it hears of their CSeq instead. */
  onIgnored: ((cseq: number) => void) | undefined;

  constructor(options: SubscriberOptions) {
    this.#options = options;
    this.#socket = createSocket('udp4');
  }

  /** Subscribes; resolves to the status line of the final answer. Rejects when none comes within 8 seconds. */
  async subscribe(expires: number): Promise<string> {
    if (this.#port === 0) await this.#bind();
    this.#cseq += 1;
    const request = Buffer.from(this.#subscribeRequest(expires));
    const send = (): void => this.#socket.send(request, this.#options.server.port, this.#options.server.host);
    const repeat = setInterval(send, retransmitEvery);
    let giveUp: NodeJS.Timeout | undefined;
    try {
      return await new Promise<string>((resolve, reject) => {
        this.#onResponse = resolve;
        giveUp = setTimeout(() => reject(new Error('no answer to SUBSCRIBE within 8 seconds')), 8000);
        send();
      });
    } finally {
      clearInterval(repeat);
      clearTimeout(giveUp);
      this.#onResponse = undefined;
    }
  }

  close(): void {
    this.#socket.close();
  }

  async #bind(): Promise<void> {
    this.#socket.on('message', (data, sender) => this.#receive(data.toString('utf8'), sender));
    await new Promise<void>((resolve) => this.#socket.bind(0, '127.0.0.1', resolve));
    this.#port = this.#socket.address().port;
  }

  #subscribeRequest(expires: number): string {
    const { identity, gms, resources } = this.#options;
    const entries = resources.map((resource) => `<entry uri="${resource}"/>`).join('');
    const body = `<?xml version="1.0" encoding="UTF-8"?>\n<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list>${entries}</list></resource-lists>`;
    return [
      `SUBSCRIBE ${gms} SIP/2.0`,
      `Via: SIP/2.0/UDP 127.0.0.1:${this.#port};branch=z9hG4bK${randomBytes(8).toString('hex')};rport`,
      'Max-Forwards: 70',
      `From: <${identity}>;tag=${this.#fromTag}`,
      `To: <${gms}>${this.#toTag === '' ? '' : `;tag=${this.#toTag}`}`,
      `Call-ID: ${this.#callId}`,
      `CSeq: ${this.#cseq} SUBSCRIBE`,
      `Contact: <sip:mcptt@127.0.0.1:${this.#port};gr>`,
      `P-Asserted-Identity: <${identity}>`,
      'P-Asserted-Service: urn:urn-7:3gpp-service.ims.icsi.mcptt',
      'Event: xcap-diff',
      'Accept: application/xcap-diff+xml',
      'Supported: gruu',
      `Expires: ${expires}`,
      'Content-Type: application/resource-lists+xml',
      `Content-Length: ${Buffer.byteLength(body)}`,
      '',
      body,
    ].join('\r\n');
  }

  #receive(message: string, sender: { readonly address: string; readonly port: number }): void {
    const headEnd = message.indexOf('\r\n\r\n');
    const [startLine = '', ...headers] = message.slice(0, headEnd < 0 ? undefined : headEnd).split('\r\n');
    const body = headEnd < 0 ? '' : message.slice(headEnd + 4);
    if (startLine.startsWith('SIP/2.0 ')) {
      if (Number.parseInt(header(headers, 'CSeq') ?? '', 10) !== this.#cseq || /^SIP\/2\.0 1/.test(startLine)) return;
      this.#toTag = /;tag=([^;>\s]+)/.exec(header(headers, 'To') ?? '')?.[1] ?? '';
      this.#onResponse?.(startLine);
    } else if (startLine.startsWith('NOTIFY ')) {
      const cseq = Number.parseInt(header(headers, 'CSeq') ?? '', 10);
      if (this.onIgnored !== undefined && cseq > this.#lastNotifyCseq) {
        this.onIgnored(cseq);
        return;
      }
      this.#answer(headers, sender);
      this.#report(cseq, headers, body);
    }
  }

  #answer(headers: readonly string[], sender: { readonly address: string; readonly port: number }): void {
    const copied = headers.filter((line) => /^(Via|From|To|Call-ID|CSeq)\s*:/i.test(line));
    const contact = `Contact: <sip:mcptt@127.0.0.1:${this.#port};gr>`;
    const response = ['SIP/2.0 200 OK', ...copied, contact, 'Content-Length: 0', '', ''].join('\r\n');
    this.#socket.send(response, sender.port, sender.address);
  }

  #report(cseq: number, headers: readonly string[], body: string): void {
    // A retransmitted NOTIFY is answered again but reported once.
    if (cseq <= this.#lastNotifyCseq) return;
    this.#lastNotifyCseq = cseq;
    const documents = [...body.matchAll(/<(?:[\w-]+:)?document\s([^>]*?)\/?>/g)].map((match): NotifiedDocument => {
      const attribute = (name: string): string | undefined =>
        new RegExp(`\\b${name}="([^"]*)"`).exec(match[1] ?? '')?.[1];
      return { sel: attribute('sel') ?? '', previousTag: attribute('previous-etag'), newTag: attribute('new-etag') };
    });
    const subscriptionState = header(headers, 'Subscription-State') ?? '';
    this.#options.onNotification({ cseq, subscriptionState, documents, body });
  }
}

function header(headers: readonly string[], name: string): string | undefined {
  const found = headers.find((line) => line.toLowerCase().startsWith(`${name.toLowerCase()}:`));
  return found?.slice(name.length + 1).trim();
}
