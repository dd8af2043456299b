// sip.js, a SIP stack of others, as a subscriber over WebSocket (RFC 7118) that tests can wait for.
import { Subscriber, SubscriptionState, UserAgent } from 'sip.js';
import { type ClientOptions, WebSocket } from 'ws';
import { resourceList } from '../../src/sip/face.testkit.ts';

export interface SipJsOptions {
  /** `ws://` or `wss://` URL. */
  readonly server: string;
  /** Authority of a secure server's certificate, PEM. */
  readonly ca?: string;
  readonly identity: string;
  readonly target: string;
  readonly entries: readonly string[];
}

/** One subscription of a user agent of its own. */
export class SipJsSubscriber {
  readonly #agent: UserAgent;
  readonly #subscriber: Subscriber;
  readonly #bodies: string[] = [];
  #ended = false;
  #wake: () => void = () => undefined;

  private constructor(agent: UserAgent, subscriber: Subscriber) {
    this.#agent = agent;
    this.#subscriber = subscriber;
    subscriber.delegate = {
      onNotify: (notification) => {
        this.#bodies.push(notification.request.body);
        void notification.accept();
        this.#wake();
      },
    };
    subscriber.stateChange.addListener((state) => {
      this.#ended = state === SubscriptionState.Terminated;
      this.#wake();
    });
  }

  /** Connects and subscribes; the answers come as NOTIFYs. */
  static async subscribe({ server, ca, identity, target, entries }: SipJsOptions): Promise<SipJsSubscriber> {
    // The library takes the browser's.
    globalThis.WebSocket = class extends WebSocket {
      constructor(url: string, protocols: string | string[]) {
        const options: ClientOptions = ca === undefined ? {} : { ca };
        super(url, protocols, options);
      }
    } as unknown as typeof globalThis.WebSocket;
    const uri = UserAgent.makeURI(identity);
    const to = UserAgent.makeURI(target);
    if (uri === undefined || to === undefined) throw new Error('no URI');
    const agent = new UserAgent({
      uri,
      transportOptions: { server },
      logLevel: 'error',
      logBuiltinEnabled: false,
    });
    await agent.start();
    const subscriber = new Subscriber(agent, to, 'xcap-diff', {
      expires: 600,
      extraHeaders: [`P-Asserted-Identity: <${identity}>`, 'Accept: application/xcap-diff+xml'],
      contentType: 'application/resource-lists+xml',
      body: resourceList(entries),
    });
    const made = new SipJsSubscriber(agent, subscriber);
    await subscriber.subscribe();
    return made;
  }

  /** The body of the nth NOTIFY, from 0. */
  async body(n: number): Promise<string> {
    await this.#until(() => this.#bodies.length > n);
    return this.#bodies[n] ?? '';
  }

  /** Ends the subscription and waits until the library says that it has ended. */
  async unsubscribe(): Promise<void> {
    await this.#subscriber.unsubscribe();
    await this.#until(() => this.#ended);
  }

  stop(): Promise<void> {
    return this.#agent.stop();
  }

  async #until(done: () => boolean): Promise<void> {
    while (!done()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
