// The gateway as subscriber: watches groups at the group management servers of partner systems (TS 24.481 clause 6.3.13,
// RFC 5875 clause 4.8), as many subscriptions at each as its groups need.
import type { PartnerWatch, PartnerWatchListener, WatchProbe } from '../interconnect/ports.ts';
import { Refusal } from '../refusals.ts';
import { type HeaderFields, hdr, tagOf } from './headers.ts';
import { checkEvent, groupEntry, readNotifyState, readPartnerNotify } from './partner-notify.ts';
import type { IncomingRequest } from './sip-port.ts';
import { SubscriptionProbe } from './subscription-probe.ts';
import { type PartnerAddress, type WatchKeeper, WatchSession, type WatchSurroundings } from './watch-session.ts';

export interface SubscriberOptions extends WatchSurroundings {
  /** The address of a partner, asked for each time it is needed; undefined when it has none. */
  readonly addressOf: (partner: string) => PartnerAddress | undefined;
  /** Octets of the largest SUBSCRIBE body. */
  readonly largestBody: number;
  readonly listener: PartnerWatchListener;
}

/** Groups in one subscription: half of what our own notifier takes, should the partner be as strict. */
const mostGroups = 500;
/** Octets of an entry beside its URI. */
const entryOverhead = 24;
/** Milliseconds in which several changes of what is watched become one. */
const gathering = 200;
/** Milliseconds that partners have to answer the end of the subscriptions. */
const endPatience = 3_000;

interface Watched {
  wanted: ReadonlySet<string>;
  readonly sessions: WatchSession[];
  /** Ended, but their last NOTIFY may still come. */
  readonly leaving: Set<WatchSession>;
  state: 'up' | 'down' | undefined;
  gathering: boolean;
}

/** The watch port over SIP. */
export class Subscriber implements PartnerWatch {
  readonly #options: SubscriberOptions;
  readonly #partners = new Map<string, Watched>();
  readonly #probes = new Set<SubscriptionProbe>();
  #closed = false;

  constructor(options: SubscriberOptions) {
    this.#options = options;
  }

  watch(partner: string, groups: readonly string[]): void {
    if (this.#closed) return;
    let watched = this.#partners.get(partner);
    if (watched === undefined) {
      watched = { wanted: new Set(), sessions: [], leaving: new Set(), state: undefined, gathering: false };
      this.#partners.set(partner, watched);
    }
    watched.wanted = new Set(groups);
    if (watched.gathering) return;
    watched.gathering = true;
    const current = watched;
    this.#options.timers.after(gathering, {
      onTimer: () => {
        current.gathering = false;
        if (!this.#closed) this.#arrange(partner, current);
      },
    });
  }

  async probe(partner: string, groupId: string): Promise<WatchProbe> {
    const address = this.#options.addressOf(partner);
    if (address === undefined || this.#closed) return { status: 0, notified: false };
    const probe = new SubscriptionProbe(this.#options);
    this.#probes.add(probe);
    try {
      return await probe.run(address, groupId);
    } finally {
      this.#probes.delete(probe);
    }
  }

  /** Takes a NOTIFY and answers it; RFC 6665 clause 4.1.3. Never rejects. */
  async handle(request: IncomingRequest): Promise<void> {
    const { status, headers } = this.#receive(request);
    try {
      await request.respond(status, headers);
    } catch (error) {
      this.#options.log.info({ error: String(error) }, 'a NOTIFY could not be answered');
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const sessions = [...this.#partners.values()].flatMap((watched) => watched.sessions);
    if (sessions.length === 0) return;
    let late: NodeJS.Timeout | undefined;
    const patience = new Promise<void>((resolve) => {
      late = setTimeout(resolve, endPatience);
    });
    await Promise.race([Promise.all(sessions.map((session) => session.end())), patience]);
    clearTimeout(late);
  }

  #receive({ headers, body }: IncomingRequest): { status: number; headers: Record<string, string> } {
    const callId = hdr(headers, 'call-id') ?? '';
    const toTag = tagOf(hdr(headers, 'to'));
    try {
      const probe = [...this.#probes].find((one) => one.matches(callId, toTag));
      if (probe !== undefined) {
        checkEvent(headers);
        probe.receive();
        return { status: 200, headers: {} };
      }
      const session = this.#sessionOf(callId, toTag);
      // RFC 6665 4.4.1: a notifier that is not known here is told so, and stops
      if (session === undefined) return { status: 481, headers: {} };
      return { status: this.#deliver(session, headers, body) ? 200 : 481, headers: {} };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const partner = this.#sessionOf(callId, toTag)?.partner;
      this.#options.log.info({ partner, refusal: error.code }, 'a NOTIFY of a partner is refused');
      const accept = error.detail.accept?.join(', ');
      return {
        status: error.row.status,
        headers: {
          ...(error.code === 'bad-event' ? { 'Allow-Events': 'xcap-diff' } : {}),
          ...(accept === undefined ? {} : { Accept: accept, 'Accept-Encoding': 'identity' }),
        },
      };
    }
  }

  #deliver(session: WatchSession, headers: HeaderFields, body: string): boolean {
    const state = readNotifyState(headers);
    try {
      return session.receive(headers, readPartnerNotify(headers, body));
    } catch (error) {
      // RFC 6665 4.1.3: the subscription is over, whatever the body was to say
      if (state.state === 'terminated') session.receive(headers, state);
      throw error;
    }
  }

  #sessionOf(callId: string, toTag: string): WatchSession | undefined {
    for (const { sessions, leaving } of this.#partners.values()) {
      const session = [...sessions, ...leaving].find((one) => one.matches(callId, toTag));
      if (session !== undefined) return session;
    }
    return undefined;
  }

  /** Groups stay in the subscription that they are in; new ones fill it up, or make another. */
  #arrange(partner: string, watched: Watched): void {
    const { wanted, sessions } = watched;
    const placed = new Set(sessions.flatMap((session) => [...session.groups]));
    const fresh = [...wanted].filter((group) => !placed.has(group));
    for (const session of [...sessions]) {
      const kept = new Set([...session.groups].filter((group) => wanted.has(group)));
      this.#fill(kept, fresh);
      if (kept.size > 0) {
        session.setGroups(kept);
        continue;
      }
      sessions.splice(sessions.indexOf(session), 1);
      this.#leave(watched, session);
    }
    while (fresh.length > 0 && this.#options.addressOf(partner) !== undefined) {
      const groups = new Set<string>();
      this.#fill(groups, fresh);
      const session = new WatchSession(partner, () => this.#options.addressOf(partner), this.#options, {
        changed: (group, tag) => this.#tell((listener) => listener.changed(partner, group, tag)),
        turned: () => this.#turned(partner, watched),
      } satisfies WatchKeeper);
      sessions.push(session);
      session.setGroups(groups);
    }
    if (wanted.size === 0) watched.state = undefined;
    else this.#turned(partner, watched);
  }

  #leave({ leaving }: Watched, session: WatchSession): void {
    const { timers, notifyPatience } = this.#options;
    leaving.add(session);
    void session.end();
    timers.after(notifyPatience, { onTimer: () => leaving.delete(session) });
  }

  /** Moves groups from `fresh` into the set while they fit one SUBSCRIBE. */
  #fill(groups: Set<string>, fresh: string[]): void {
    let octets = 200;
    for (const group of groups) octets += Buffer.byteLength(groupEntry(group)) + entryOverhead;
    while (groups.size < mostGroups) {
      const [next] = fresh;
      if (next === undefined) return;
      octets += Buffer.byteLength(groupEntry(next)) + entryOverhead;
      // What alone is too large is tried all the same.
      if (octets > this.#options.largestBody && groups.size > 0) return;
      groups.add(next);
      fresh.shift();
    }
  }

  #turned(partner: string, watched: Watched): void {
    const { wanted, sessions } = watched;
    if (wanted.size === 0) return;
    const state = sessions.length > 0 && sessions.every((session) => session.up) ? 'up' : 'down';
    if (state === watched.state) return;
    watched.state = state;
    this.#tell((listener) => listener.state(partner, state));
  }

  #tell(tell: (listener: PartnerWatchListener) => void): void {
    if (!this.#closed) tell(this.#options.listener);
  }
}
