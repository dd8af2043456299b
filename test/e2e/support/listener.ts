// What an MC service server knows from its NOTIFYs: the last tag told of each group, and whether what it was told ever contradicts itself.
import { McServiceServer, type Notification } from '../../../src/demo/mc-service-server.ts';
import { Observations } from '../../../src/demo/observations.ts';

const collection = 'org.openmobilealliance.groups/global/byGroupID/';

export interface ListenerOptions {
  readonly identity: string;
  readonly gms: string;
  /** SIP port of the gateway on loopback. */
  readonly port: number;
}

export class Listener {
  readonly notifications = new Observations<Notification>();
  /** Tag last told of each group ID; absent = told to be gone, or never told. */
  readonly told = new Map<string, string>();
  /** Sentences about NOTIFYs that do not follow from those before. */
  readonly contradictions: string[] = [];
  /** Set = NOTIFYs arrive and are not answered. */
  set silent(silent: boolean) {
    this.#server.silent = silent;
  }
  readonly #server: McServiceServer;

  private constructor({ identity, gms, port }: ListenerOptions) {
    this.#server = new McServiceServer({
      identity,
      gms,
      server: { host: '127.0.0.1', port },
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
    for (const { sel, newTag, previousTag } of notification.documents) {
      const groupId = decodeURIComponent(sel.slice(collection.length));
      const before = this.told.get(groupId);
      // RFC 5874 4: previous-etag is what was told before. A full state names no previous one.
      if (previousTag !== undefined && previousTag !== before) {
        this.contradictions.push(
          `CSeq ${notification.cseq}: ${groupId} was "${previousTag}", but told was "${before}"`,
        );
      }
      if (newTag === undefined) this.told.delete(groupId);
      else this.told.set(groupId, newTag);
    }
    this.notifications.add(notification);
  }
}
