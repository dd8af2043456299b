// The SIP face: a notifier connected to a SIP engine through drachtio-srf, with its subscriptions taken up from the store.
import type { Documents } from '../documents/documents.ts';
import type { Authenticator } from '../identity/authenticate.ts';
import type { Principal } from '../identity/principal.ts';
import type { ServedUsers } from '../identity/served.ts';
import { canonicalUri } from '../identity/uri.ts';
import type { OwnFacing, PartnerAdmission, PartnerWatch, PartnerWatchListener } from '../interconnect/ports.ts';
import type { Store } from '../store/store.ts';
import { Admission } from './admission.ts';
import { type Clock, TimerQueue } from './engine/timer-queue.ts';
import { type ExchangeListener, timedPort, timedRequest } from './exchange-times.ts';
import { MissingGroups } from './missing-groups.ts';
import { NotificationJournal } from './notification-journal.ts';
import { Notifier, type SubscriptionSummary } from './notifier.ts';
import type { FaceView } from './notify-sender.ts';
import { RefusalLog } from './refusal-log.ts';
import { parseEntry, type ResourceEntry } from './resource-entry.ts';
import { type IncomingRequest, sipPort } from './sip-port.ts';
import { Subscriber } from './subscriber.ts';
import { readRow, SubscriptionRows } from './subscription-rows.ts';
import { ownResources, type PartnerGroups, partnerResources } from './visible-resources.ts';
import type { PartnerAddress } from './watch-session.ts';

export type { SubscriptionSummary } from './notifier.ts';
export { subscriptionDialogs } from './subscription-rows.ts';
export type { PartnerAddress } from './watch-session.ts';

/** Where the engine is and what it can do: what `startEngine` answers, or a real drachtio-server. */
export interface SipEngineAccess {
  readonly control: { readonly host: string; readonly port: number; readonly secret: string };
  /** `udp:127.0.0.1:5060` style. */
  readonly listening: readonly string[];
  /** Octets of the largest frame it takes; 12,000 for a real drachtio-server. */
  readonly largestFrame: number;
  /** True when it was started with the dialogs of `subscriptionDialogs`; otherwise it has those that it kept, if it has run on. */
  readonly resumesDialogs: boolean;
  /** True when bodies that come deflated are inflated there. */
  readonly inflates: boolean;
}

export interface SipFaceOptions {
  readonly engine: SipEngineAccess;
  /** Public service identity of this group management server. */
  readonly gms: string;
  /** XCAP root of the face of clients and MC service servers. */
  readonly xcapRoot: string;
  /** What partner systems subscribe to; absent = they cannot. */
  readonly partners?:
    | { readonly facing: PartnerGroups & Partial<SubscribeAdmission>; readonly xcapRoot: string }
    | undefined;
  readonly documents: Documents;
  /** Flow B for subscribed groups that are not here; absent = never. */
  readonly interconnect?: Pick<OwnFacing, 'group'> | undefined;
  readonly store: Pick<Store, 'subscriptions' | 'commit'>;
  readonly served: ServedUsers;
  readonly authenticate: Authenticator['sip'];
  /** Who the subscriber of a stored subscription is now; undefined when it is nobody here any more. Absent = who it was. */
  readonly principalNow?: ((stored: Principal) => Principal | undefined) | undefined;
  readonly settings: {
    /** Seconds. */
    readonly minimumExpires: number;
    /** Seconds. */
    readonly maximumExpires: number;
    /** Seconds between two NOTIFYs of one subscription. */
    readonly minimumNotifyInterval: { readonly servers: number; readonly partners: number; readonly clients: number };
    readonly mostEntries?: number;
    readonly mostSubscriptions?: number;
    readonly mostPerClient?: number;
    /** RFC 3261 timer T1, milliseconds. */
    readonly timers?: { readonly t1: number };
  };
  readonly log: {
    debug(fields: object, text: string): void;
    info(fields: object, text: string): void;
    warn(fields: object, text: string): void;
    error(fields: object, text: string): void;
  };
  /** Where partners are reached when we subscribe at them; undefined = not over SIP. Absent = never. */
  readonly partnerAddress?: ((partner: string) => PartnerAddress | undefined) | undefined;
  /** Hears of every SIP request with its final answer, for metrics. */
  readonly onExchange?: ExchangeListener | undefined;
  /** Milliseconds since 1970, and timers; the system's when absent. */
  readonly clock?: Clock | undefined;
}

export interface SipFace {
  /** SIP URIs at which the face is reached. */
  readonly uris: readonly string[];
  subscriptions(): readonly SubscriptionSummary[];
  /** How many there are. */
  readonly subscriptionCount: number;
  /** NOTIFYs that wait for their turn to be sent. */
  readonly notificationsWaiting: number;
  /** Watches groups at partners, and tells the listener of them. To be called once; it ends with the face. */
  watchPartners(listener: PartnerWatchListener): PartnerWatch;
  /** Tells every subscriber what it gained or lost; for settings that decide who may read what. */
  recheck(): void;
  /**
   * Stops. Subscriptions stay in the store to be resumed; with `deactivate` they are ended first, so that subscribers
   * subscribe anew at once.
   */
  close(options?: { readonly deactivate?: boolean }): Promise<void>;
}

const longestTimeout = 2 ** 31 - 1;

/** Wall time, because subscriptions outlive the process; a timer that is too long for the runtime wakes early. */
const wallClock: Clock = {
  now: () => Date.now(),
  wakeAfter(delay, wake) {
    const timeout = setTimeout(wake, Math.min(delay, longestTimeout));
    return () => clearTimeout(timeout);
  },
};

/** Octets of one NOTIFY that are not its body: header fields and the words of the frame. */
const frameOverhead = 2_000;
/** Bodies are not made larger than this although an engine would take them, because NOTIFYs also travel in datagrams. */
const largestBody = 32_000;
/** Octets of the largest frame that a real drachtio-server reads; what takes larger ones needs no care. */
const drachtioFrame = 12_000;
const deactivationPatience = 3_000;

/** Starts the face. Rejects when the engine is not there for half a minute or refuses the secret, or when the store fails. */
export async function startSipFace(options: SipFaceOptions): Promise<SipFace> {
  const { documents, served, engine, settings, log, store } = options;
  const timers = new TimerQueue(options.clock ?? wallClock);
  const ownView: FaceView = { resources: ownResources(documents, served), xcapRoot: withSlash(options.xcapRoot) };
  const partnerView: FaceView | undefined =
    options.partners === undefined
      ? undefined
      : { resources: partnerResources(options.partners.facing), xcapRoot: withSlash(options.partners.xcapRoot) };
  const viewOf = (principal: Principal): FaceView | undefined => (principal.role === 'partner' ? partnerView : ownView);
  const { servers, partners, clients } = settings.minimumNotifyInterval;
  const interval = (principal: Principal): number => {
    if (principal.role === 'server') return servers * 1000;
    return (principal.role === 'partner' ? partners : clients) * 1000;
  };

  const refusals = new RefusalLog(timers, log);
  const rows = new SubscriptionRows({ store, timers, log });
  const notifications = new NotificationJournal({ store, timers, log });
  const notifier = new Notifier({
    timers,
    rows,
    viewOf,
    interval,
    largestBody: Math.min(largestBody, engine.largestFrame - frameOverhead),
    onAnswer: (...answered) => notifications.note(...answered),
    log,
  });
  const admission = new Admission({
    settings: {
      minimumExpires: settings.minimumExpires,
      maximumExpires: settings.maximumExpires,
      mostEntries: settings.mostEntries ?? 1_000,
      mostSubscriptions: settings.mostSubscriptions ?? 100_000,
      mostPerClient: settings.mostPerClient ?? 50,
    },
    own: { gms: canonicalUri(options.gms) ?? options.gms, hosts: hostsOf(engine.listening) },
    notifier,
    rows,
    documents,
    served,
    missing: options.interconnect === undefined ? undefined : new MissingGroups(options.interconnect, log),
    admission: admissionOf(options.partners?.facing),
    codings: engine.inflates ? 'identity, deflate' : 'identity',
    authenticate: options.authenticate,
    viewOf,
    now: () => timers.now(),
    log: { info: (fields, text) => refusals.info(fields, text), error: (fields, text) => log.error(fields, text) },
  });

  await takeUp();
  const port = sipPort({
    control: engine.control,
    pipelining: engine.largestFrame > drachtioFrame,
    onRequest: (request) => take(request),
    log,
  });
  let watch: Subscriber | undefined;
  const tell = options.onExchange ?? ((): void => undefined);
  const sending = timedPort(port, tell, performance.now.bind(performance));
  const take = (incoming: IncomingRequest): void => {
    const request = timedRequest(incoming, tell, performance.now.bind(performance));
    if (request.method === 'NOTIFY' && watch !== undefined) void watch.handle(request);
    else void admission.handle(request);
  };
  notifier.attach(sending);
  const stopListening = documents.onChange((event) => notifier.onChange(event));
  try {
    await port.connect();
  } catch (error) {
    stopListening();
    throw error;
  }
  notifier.start();

  /** Before the connection, so that a refresh that comes with it finds its subscription. */
  async function takeUp(): Promise<void> {
    const records = await store.subscriptions();
    const lost: string[] = [];
    for (const record of records) {
      const row = readRow(record);
      if (row === undefined) {
        lost.push(record.id);
        continue;
      }
      // Whether an engine elsewhere still has the dialog is found out by telling everything in it.
      const known = engine.resumesDialogs ? row : { ...row, told: undefined };
      const principal = options.principalNow === undefined ? row.principal : options.principalNow(row.principal);
      notifier.restore(
        record.id,
        known,
        principal,
        entriesOf(row.entries, (viewOf(row.principal) ?? ownView).xcapRoot),
        record.expires * 1000,
      );
    }
    await rows.drop(lost);
    if (records.length === 0) return;
    log.info({ resumed: records.length - lost.length, dropped: lost.length }, 'subscriptions taken up');
  }

  return {
    uris: engine.listening.map(sipUri),
    subscriptions: () => notifier.summaries(),
    get subscriptionCount() {
      return notifier.size;
    },
    get notificationsWaiting() {
      return notifier.waiting;
    },
    recheck: () => notifier.recheck(),
    watchPartners(listener) {
      watch = new Subscriber({
        timers,
        subscribe: (request) => sending.subscribe(request),
        gms: options.gms,
        addressOf: options.partnerAddress ?? (() => undefined),
        largestBody: Math.min(largestBody, engine.largestFrame - frameOverhead),
        notifyPatience: 64 * (settings.timers?.t1 ?? 500),
        random: Math.random,
        listener,
        log,
      });
      return watch;
    },
    async close({ deactivate = false } = {}) {
      stopListening();
      await watch?.close();
      if (deactivate) await notifier.endAll('deactivated', deactivationPatience);
      await port.close();
      await rows.flush();
      await notifications.flush();
      timers.stop();
    },
  };
}

type SubscribeAdmission = Pick<PartnerAdmission, 'admitSubscribe'>;

function admissionOf(facing: Partial<SubscribeAdmission> | undefined): SubscribeAdmission | undefined {
  if (facing?.admitSubscribe === undefined) return undefined;
  return { admitSubscribe: (from, others) => facing.admitSubscribe?.(from, others) };
}

function entriesOf(uris: readonly string[], xcapRoot: string): readonly ResourceEntry[] {
  return uris.map((uri) => parseEntry(uri, xcapRoot)).filter((entry) => entry !== undefined);
}

function withSlash(root: string): string {
  return root.endsWith('/') ? root : `${root}/`;
}

/** `udp:127.0.0.1:5060` as a SIP URI. */
export function sipUri(listening: string): string {
  const colon = listening.indexOf(':');
  const transport = listening.slice(0, colon);
  const host = listening.slice(colon + 1);
  return transport === 'udp' ? `sip:${host}` : `sip:${host};transport=${transport}`;
}

function hostsOf(listening: readonly string[]): ReadonlySet<string> {
  const hosts = listening.map((text) => text.slice(text.indexOf(':') + 1, text.lastIndexOf(':')).toLowerCase());
  return new Set([...hosts.map((host) => host.replace(/^\[|\]$/g, '')), 'localhost']);
}
