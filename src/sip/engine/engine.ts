// The embedded SIP engine: transports, transactions and dialogs below, the drachtio control protocol above. Started in this
// thread here; worker-engine.ts starts the same in a worker.
import { randomBytes } from 'node:crypto';
import { readApplicationMessage } from './application-message.ts';
import { LARGEST_FRAME } from './control-frames.ts';
import {
  type Application,
  type ControlHandler,
  ControlServer,
  type ControlTls,
  type SipOrder,
} from './control-server.ts';
import { type Core, type Delivery, extendDialog, type NatDetection } from './core.ts';
import type { DialogRecord } from './dialog-record.ts';
import { Dialogs } from './dialogs.ts';
import { type Admission, FLOOD_LIMITS, FloodGuard, type FloodLimits } from './flood-guard.ts';
import { IncomingRequests } from './incoming.ts';
import { type NameService, systemNames } from './locate.ts';
import type { SipMessage } from './message.ts';
import { OutgoingRequests } from './outgoing.ts';
import { OverloadControl } from './overload.ts';
import type { Unparsed } from './parse-message.ts';
import { type Clock, systemClock, TimerQueue } from './timer-queue.ts';
import type { TlsMaterial } from './tls-identity.ts';
import { ClientTransactions, ServerTransactions } from './transactions.ts';
import { type Flow, listenText, parseListenAddress } from './transport.ts';
import { type ConnectionLimits, TransportLayer } from './transport-layer.ts';

export { type DialogRecord, type DialogSource, dialogRecordFrom } from './dialog-record.ts';
export type { TlsMaterial } from './tls-identity.ts';

/** What a SIP engine is started with. Plain data, so that it can be handed to a worker. */
export interface EngineOptions {
  /** `transport:address:port` with udp, tcp, tls, ws or wss; IPv6 in brackets; port 0 takes a free one. */
  readonly listen: readonly string[];
  /** Where applications connect; a free loopback port and a random secret unless given. */
  readonly control?: {
    readonly host?: string;
    readonly port?: number;
    readonly secret?: string;
    /** A second control port, over TLS. */
    readonly tls?: ControlTls | undefined;
  };
  /**
   * RFC 3261 17 timer values in milliseconds. There is no T4: it bounds how long responses that come again are absorbed, and
   * here one that nobody waits for is dropped at any time.
   */
  readonly timers?: { readonly t1?: number; readonly t2?: number };
  /** Next hop of requests outside dialogs that name none themselves: a SIP URI. */
  readonly outboundProxy?: string;
  /** `auto` when absent. */
  readonly natDetection?: NatDetection;
  /** Host for Via and Contact, when it is not the listening address (address translation, a name with a certificate). */
  readonly advertise?: string;
  /** Subscription dialogs to take up again. */
  readonly dialogs?: readonly DialogRecord[];
  readonly tls?: TlsMaterial;
  /** Option tags that Require may name; `gruu` when absent. */
  readonly supported?: readonly string[];
  readonly flood?: Partial<FloodLimits>;
  readonly connections?: Partial<ConnectionLimits>;
}

/** What tests replace. */
export interface EngineSurroundings {
  readonly clock: Clock;
  readonly names: NameService;
  /** Milliseconds since 1970. */
  readonly wallTime: () => number;
}

/** Numbers that show how an engine is doing. */
export interface EngineCounts {
  readonly dialogs: number;
  readonly serverTransactions: number;
  readonly clientTransactions: number;
  readonly unanswered: number;
  readonly connections: number;
  /** Messages taken from the network and from applications since the start. */
  readonly messages: number;
  /** Messages whose handling failed by a fault of the engine; each was dropped. */
  readonly faults: number;
  /** The last of these faults, '' when there was none. */
  readonly lastFault: string;
}

/** A running engine. */
export interface Engine {
  /** Where and with what secret applications connect. */
  readonly control: {
    readonly host: string;
    readonly port: number;
    readonly secret: string;
    /** The port over TLS, when there is one. */
    readonly tlsPort?: number | undefined;
  };
  /** `udp:127.0.0.1:5060` style, real ports, in the order of the options. */
  readonly listening: readonly string[];
  /** Octets of the largest frame it takes from an application. */
  readonly largestFrame: number;
  /** Resolves when it has ended: with the error that ended it, or undefined after `close`. */
  readonly exited: Promise<Error | undefined>;
  counts(): Promise<EngineCounts>;
  close(): Promise<void>;
  /** Shows this certificate and trusts these authorities from the next connection on. Throws when it is no good. */
  replaceTls(tls: TlsMaterial): Promise<void>;
}

const TIMERS = { t1: 500, t2: 4000 };
const REAP_TIME = 30_000;

/**
 * Starts an engine in this thread.
 * @throws Error when an address cannot be listened on or an option is wrong
 */
export async function startEngine(
  options: EngineOptions,
  surroundings: Partial<EngineSurroundings> = {},
): Promise<Engine> {
  const running = new RunningEngine(options, surroundings);
  await running.open();
  return running;
}

class RunningEngine implements Engine, ControlHandler {
  readonly largestFrame = LARGEST_FRAME;
  readonly exited: Promise<Error | undefined>;
  control: { host: string; port: number; secret: string; tlsPort?: number | undefined };
  listening: readonly string[] = [];
  readonly #options: EngineOptions;
  readonly #surroundings: EngineSurroundings;
  #core: Core | undefined;
  #incoming: IncomingRequests | undefined;
  #outgoing: OutgoingRequests | undefined;
  #reaper: NodeJS.Timeout | undefined;
  #exit: () => void = () => undefined;
  #closed: Promise<void> | undefined;
  #messages = 0;
  #faults = 0;
  #lastFault = '';

  constructor(options: EngineOptions, surroundings: Partial<EngineSurroundings>) {
    this.#options = options;
    this.#surroundings = { clock: systemClock, names: systemNames, wallTime: Date.now, ...surroundings };
    const { host = '127.0.0.1', port = 0, secret = randomBytes(24).toString('hex') } = options.control ?? {};
    this.control = { host, port, secret };
    this.exited = new Promise((resolve) => {
      this.#exit = () => resolve(undefined);
    });
  }

  async open(): Promise<void> {
    const { clock, names, wallTime } = this.#surroundings;
    const options = this.#options;
    const { host, port: wanted, secret } = this.control;
    const listen = options.listen.map(parseListenAddress);
    const timers = new TimerQueue(clock);
    const values = { ...TIMERS, ...options.timers };
    const guard = new FloodGuard({ ...FLOOD_LIMITS, ...options.flood }, () => clock.now());
    const control = await ControlServer.open({ host, port: wanted, secret, tls: options.control?.tls }, this);
    const [port = 0, tlsPort] = control.ports;
    this.control = { host, port, secret, tlsPort };
    let transports: TransportLayer;
    try {
      transports = await TransportLayer.open({
        listen,
        advertise: options.advertise ?? '',
        tls: options.tls,
        ...(options.connections ? { limits: options.connections } : {}),
        admit: (address) => guard.admit(address),
        deliver: (message, flow, admission) => this.#receive(message, flow, admission),
        now: () => clock.now(),
      });
    } catch (error) {
      await control.close();
      throw error;
    }
    this.listening = transports.locals.map(listenText);
    const overload = new OverloadControl();
    const core: Core = {
      timers,
      servers: new ServerTransactions<Delivery>(timers, values, ({ given }) => {
        if (given !== undefined) overload.answered(timers.now(), given);
      }),
      clients: new ClientTransactions(timers, values),
      dialogs: new Dialogs(),
      guard,
      overload,
      transports,
      control,
      names,
      supported: new Set(options.supported ?? ['gruu']),
      outboundProxy: options.outboundProxy ?? '',
      natDetection: options.natDetection ?? 'auto',
      wallTime,
    };
    this.#restore(core);
    const outgoing = new OutgoingRequests(core);
    this.#outgoing = outgoing;
    this.#incoming = new IncomingRequests(core, (request, flow) => outgoing.looseNotify(request, flow));
    this.#core = core;
    this.#reaper = setInterval(() => core.dialogs.removeExpired(timers.now()), REAP_TIME);
    this.#reaper.unref();
  }

  hostPorts(): string {
    return this.listening.map((text) => text.replace(':', '/')).join(',');
  }

  order(application: Application, order: SipOrder): void {
    this.#messages++;
    try {
      this.#takeOrder(application, order);
    } catch (error) {
      this.#note(error);
      application.reply(order.id, 'NOK|internal fault of the engine');
    }
  }

  #takeOrder(application: Application, order: SipOrder): void {
    const message = readApplicationMessage(order.text);
    if (message.startLine.startsWith('SIP/')) {
      if (order.transaction === '') application.refuse(order.id, 'transaction id missing');
      else this.#incoming?.answer(application, order, message);
    } else this.#outgoing?.order(application, order, message);
  }

  gone(application: Application): void {
    this.#incoming?.ownerGone(application);
  }

  async counts(): Promise<EngineCounts> {
    const core = this.#core;
    return {
      dialogs: core?.dialogs.size ?? 0,
      serverTransactions: core?.servers.size ?? 0,
      clientTransactions: core?.clients.size ?? 0,
      unanswered: core?.servers.pending.size ?? 0,
      connections: core?.transports.connections ?? 0,
      messages: this.#messages,
      faults: this.#faults,
      lastFault: this.#lastFault,
    };
  }

  async replaceTls(tls: TlsMaterial): Promise<void> {
    this.#core?.transports.replaceTls(tls);
  }

  close(): Promise<void> {
    this.#closed ??= this.#end();
    return this.#closed;
  }

  async #end(): Promise<void> {
    clearInterval(this.#reaper);
    this.#core?.timers.stop();
    // Applications first: what they still owed is answered 503 while there are transports to carry it.
    await this.#core?.control.close();
    await this.#core?.transports.close();
    this.#exit();
  }

  #receive(message: SipMessage | Unparsed, flow: Flow, given: Admission | undefined): void {
    this.#messages++;
    try {
      if (message.kind === 'response') {
        this.#core?.clients.receive(message, flow);
        return;
      }
      const admission = given ?? this.#core?.guard.admit(flow.address) ?? 'drop';
      if (admission === 'drop') return;
      if (message.kind === 'unparsed') this.#incoming?.refuseUnparsed(message, flow);
      else if (admission === 'serve') this.#incoming?.receive(message, flow);
      else this.#incoming?.refuseExcess(message, flow);
    } catch (error) {
      // One message must not end the service of all others.
      this.#note(error);
    }
  }

  #note(error: unknown): void {
    this.#faults++;
    this.#lastFault = error instanceof Error ? (error.stack ?? error.message) : String(error);
  }

  #restore(core: Core): void {
    const wallTime = core.wallTime();
    for (const record of this.#options.dialogs ?? []) {
      const { transport, address, port } = record.source;
      const flow = transport === 'udp' ? core.transports.flowTo('udp', address, port, '') : undefined;
      const dialog = core.dialogs.restore(record, flow, wallTime);
      if (record.expiresAt !== undefined) extendDialog(core, dialog, (record.expiresAt - wallTime) / 1000);
    }
  }
}
