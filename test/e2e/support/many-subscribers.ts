// Thousands of subscriptions from one UDP socket, each a dialog of its own: subscribes, answers NOTIFYs, and keeps what each was told.
import { createSocket, type Socket } from 'node:dgram';
import { until } from '../../until.ts';

/** One subscription as its subscriber sees it. */
export interface ManyDialog {
  readonly callId: string;
  /** Tag of the notifier; '' until the 200 has come. */
  toTag: string;
  cseq: number;
  /** Final answers to its SUBSCRIBEs. */
  readonly answers: number[];
  /** CSeq of each NOTIFY, retransmissions left out. */
  readonly notified: number[];
  /** Entity tag of the document as told last; undefined = none, or gone. */
  told: string | undefined;
  /** Subscription-State of the last NOTIFY. */
  state: string;
}

export class ManySubscribers {
  readonly dialogs: ManyDialog[];
  /** False = NOTIFYs are taken and not answered. */
  answering = true;
  readonly #socket: Socket;
  readonly #byCallId: Map<string, ManyDialog>;
  readonly #gateway: number;
  readonly #entry: string;

  private constructor(socket: Socket, gateway: number, entry: string, count: number) {
    this.#socket = socket;
    this.#gateway = gateway;
    this.#entry = entry;
    this.dialogs = Array.from({ length: count }, (_, number) => ({
      callId: `many-${process.pid}-${number}`,
      toTag: '',
      cseq: 0,
      answers: [],
      notified: [],
      told: undefined,
      state: '',
    }));
    this.#byCallId = new Map(this.dialogs.map((dialog) => [dialog.callId, dialog]));
    socket.on('message', (octets) => this.#receive(octets.toString('utf8')));
  }

  /** @param gateway UDP port of the gateway @param entry what every one of them subscribes to */
  static async open(gateway: number, entry: string, count: number): Promise<ManySubscribers> {
    const socket = createSocket({ type: 'udp4', recvBufferSize: 4 * 1024 * 1024 });
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    return new ManySubscribers(socket, gateway, entry, count);
  }

  /** Sends a SUBSCRIBE in each of these dialogs, 64 without answer at one time; resolves when all are answered. */
  async subscribe(dialogs: readonly ManyDialog[] = this.dialogs): Promise<void> {
    const waiting = [...dialogs];
    const one = async (): Promise<void> => {
      for (let dialog = waiting.shift(); dialog !== undefined; dialog = waiting.shift()) {
        const { length } = dialog.answers;
        const subject = dialog;
        const text = this.#subscribe(dialog);
        for (let turn = 0; subject.answers.length === length; turn++) {
          if (turn % 50 === 0) this.#socket.send(text, this.#gateway, '127.0.0.1');
          await new Promise((resolve) => setTimeout(resolve, 10));
          if (turn > 1_500) throw new Error(`no answer in ${subject.callId}`);
        }
      }
    };
    await Promise.all(Array.from({ length: 64 }, one));
  }

  /** Resolves when every dialog is as wanted; `patience` in milliseconds. */
  async all(what: string, patience: number, wanted: (dialog: ManyDialog) => boolean): Promise<void> {
    const left = async (): Promise<number> => this.dialogs.filter((dialog) => !wanted(dialog)).length;
    await until(left, (count) => count === 0, what, patience);
  }

  close(): void {
    this.#socket.close();
  }

  #subscribe(dialog: ManyDialog): string {
    dialog.cseq += 1;
    const { callId, toTag, cseq } = dialog;
    const { port } = this.#socket.address();
    const body =
      toTag === ''
        ? `<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list><entry uri="${this.#entry}"/></list></resource-lists>`
        : '';
    return [
      'SUBSCRIBE sip:gms@red.example SIP/2.0',
      `Via: SIP/2.0/UDP 127.0.0.1:${port};rport;branch=z9hG4bK${callId}${cseq}`,
      'Max-Forwards: 70',
      'From: <sip:mcptt@red.example>;tag=many',
      `To: <sip:gms@red.example>${toTag === '' ? '' : `;tag=${toTag}`}`,
      `Call-ID: ${callId}`,
      `CSeq: ${cseq} SUBSCRIBE`,
      `Contact: <sip:mcptt@127.0.0.1:${port}>`,
      'P-Asserted-Identity: <sip:mcptt@red.example>',
      'Event: xcap-diff',
      'Expires: 3600',
      ...(body === '' ? [] : ['Content-Type: application/resource-lists+xml']),
      `Content-Length: ${body.length}`,
      '',
      body,
    ].join('\r\n');
  }

  #receive(text: string): void {
    const field = (name: string): string => new RegExp(`^${name}: *(.*)$`, 'im').exec(text)?.[1]?.trim() ?? '';
    const dialog = this.#byCallId.get(field('Call-ID'));
    if (dialog === undefined) return;
    const status = /^SIP\/2\.0 (\d{3})/.exec(text)?.[1];
    const cseq = Number.parseInt(field('CSeq'), 10);
    if (status !== undefined) {
      if (cseq === dialog.cseq && dialog.answers.length < cseq) dialog.answers.push(Number(status));
      if (status === '200') dialog.toTag = /;tag=([^;]+)/.exec(field('To'))?.[1] ?? '';
      return;
    }
    if (!this.answering) return;
    const copied = text.match(/^(Via|From|To|Call-ID|CSeq):.*$/gim) ?? [];
    this.#socket.send(
      `SIP/2.0 200 OK\r\n${copied.map((line) => `${line.trim()}\r\n`).join('')}Content-Length: 0\r\n\r\n`,
      this.#gateway,
      '127.0.0.1',
    );
    if (dialog.notified.at(-1) === cseq) return;
    dialog.notified.push(cseq);
    dialog.state = field('Subscription-State');
    if (text.includes('<document ')) dialog.told = /new-etag="([^"]*)"/.exec(text)?.[1];
  }
}
