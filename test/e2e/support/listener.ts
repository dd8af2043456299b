// What an MC service server knows from its NOTIFYs: the last tag told of each group, and whether what it was told ever contradicts itself.
import { McServiceServer, type Notification } from '../../../src/demo/mc-service-server.ts';
import { Observations } from '../../../src/demo/observations.ts';

const collection = 'org.openmobilealliance.groups/global/byGroupID/';

export interface ListenerOptions {
  readonly identity: string;
  readonly gms: string;
  /** SIP port of the gateway. */
  readonly port: number;
  /** Its address; absent = 127.0.0.1. */
  readonly host?: string;
}

export class Listener {
  readonly notifications = new Observations<Notification>();
  /** Tag last told of each group ID; absent = told to be gone, or never told. */
  readonly told = new Map<string, string>();
  /** Sentences about NOTIFYs that do not follow from those before. */
  readonly contradictions: string[] = [];
  /** NOTIFYs of a change that was told already. */
  repetitions = 0;
  /** Highest CSeq of the NOTIFYs that were not answered. */
  #ignored = 0;
  readonly #server: McServiceServer;

  private constructor({ identity, gms, port, host = '127.0.0.1' }: ListenerOptions) {
    this.#server = new McServiceServer({
      identity,
      gms,
      server: { host, port },
      resources: [collection],
      onNotification: (notification) => this.#hear(notification),
    });
  }

  /** Subscribes; resolves after the first NOTIFY. */
  static async subscribe(options: ListenerOptions): Promise<Listener> {
    const listener = new Listener(options);
    const status = await listener.#server.subscribe(3600);
    if (!status.startsWith('SIP/2.0 200')) throw new Error(`the subscription was refused: ${status}`);
    await listener.notifications.first(0, () => true, 'the first NOTIFY');
    return listener;
  }

  /** Answers no NOTIFY from now on; resolves when the first arrives. */
  ignore(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.onIgnored = (cseq) => {
        this.#ignored = Math.max(this.#ignored, cseq);
        resolve();
      };
    });
  }

  /** Answers NOTIFYs again. */
  attend(): void {
    this.#server.onIgnored = undefined;
  }

  close(): void {
    this.#server.close();
  }

  /** Resolves when this was told of the group last, now or within some seconds; `tag` undefined = that it is gone. */
  async hears(groupId: string, tag: string | undefined, milliseconds = 15_000): Promise<void> {
    if (this.told.get(groupId) === tag) return;
    const what = `the NOTIFY that ${groupId} is ${tag ?? 'gone'} (told last: ${this.told.get(groupId)})`;
    await this.notifications.first(this.notifications.length, () => this.told.get(groupId) === tag, what, milliseconds);
  }

  #hear(notification: Notification): void {
    // RFC 3261 12.2.1.1: whatever happened to the notifier, what it sends later counts higher. The same number is a retransmission
    if (notification.cseq < this.#ignored) {
      this.contradictions.push(`CSeq ${notification.cseq} after ${this.#ignored}`);
    }
    for (const { sel, newTag, previousTag } of notification.documents) {
      const groupId = decodeURIComponent(sel.slice(collection.length));
      const before = this.told.get(groupId);
      // RFC 5874 4: previous-etag is what was told before; a full state names no previous one. Who was killed before our answer was
      // recorded repeats what it told last, and nothing else.
      if (previousTag !== undefined && newTag === before) this.repetitions += 1;
      else if (previousTag !== undefined && previousTag !== before) {
        const tells = `CSeq ${notification.cseq} tells "${newTag}" after "${previousTag}" of ${groupId}`;
        this.contradictions.push(`${tells}, but told was "${before}"`);
      }
      if (newTag === undefined) this.told.delete(groupId);
      else this.told.set(groupId, newTag);
    }
    this.notifications.add(notification);
  }
}
