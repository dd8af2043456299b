// Two whole systems, red and blue, each with documents and a store of its own, joined in memory; time stands in the test's hand.
// What travels between them can be made to fail in every way that a network can.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Configuration, configurationSchema, type PartnerConfiguration } from '../config/schema.ts';
import { type GroupSketch, groupDocument, schemas } from '../documents/documents.testkit.ts';
import type { ChangeEvent } from '../documents/documents.ts';
import { DocumentService } from '../documents/service.ts';
import type {
  AdministratorPrincipal,
  ClientPrincipal,
  PartnerPrincipal,
  ServerPrincipal,
} from '../identity/principal.ts';
import { servedUsers } from '../identity/served.ts';
import type { Policy } from '../policy/policy.ts';
import { parsePolicy, passThroughPolicy } from '../policy/policy-file.ts';
import { Refusal } from '../refusals.ts';
import { openSqliteStore, type SqliteStore } from '../store/sqlite/sqlite-store.ts';
import type { JournalRecord } from '../store/store.ts';
import { defaultXmlLimits } from '../xml/limits.ts';
import type { BrakeSettings } from './brake.ts';
import type { Clock } from './clock.ts';
import { Interconnection } from './interconnection.ts';
import type { InterconnectionSettings } from './partners.ts';
import type { DirectoryOutcome, FetchOutcome, PartnerGms, ProvideOutcome } from './ports.ts';

/** A clock that moves only by `advance`. */
export class TestClock implements Clock {
  #now = Date.parse('2026-01-02T03:04:05.000Z');
  #timers: { readonly at: number; readonly action: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  after(delay: number, action: () => void): () => void {
    const timer = { at: this.#now + Math.max(0, delay), action };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Milliseconds until each waiting timer, soonest first. */
  get waiting(): readonly number[] {
    return this.#timers.map(({ at }) => at - this.#now).sort((one, other) => one - other);
  }

  /** Moves on by milliseconds, fires what comes due on the way, and lets `settle` finish what that started. */
  async advance(milliseconds: number, settle: () => Promise<void>): Promise<void> {
    const end = this.#now + milliseconds;
    await settle();
    for (;;) {
      const next = this.#timers.filter(({ at }) => at <= end).sort((one, other) => one.at - other.at)[0];
      if (next === undefined) break;
      this.#timers = this.#timers.filter((other) => other !== next);
      this.#now = Math.max(this.#now, next.at);
      next.action();
      await settle();
    }
    this.#now = end;
  }
}

/** What the link does with one request: carry it, fail before the other system sees it, or lose the answer after it acted. */
export type LinkFault = 'none' | 'down' | 'answer lost' | ProvideOutcome;

/** One message that the link carried or failed to carry. */
export interface LinkMessage {
  readonly kind: 'provide' | 'withdraw' | 'fetch' | 'held' | 'directory';
  readonly partner: string;
  readonly groupId: string;
}

export interface TestSystem {
  readonly name: 'red' | 'blue' | 'green';
  readonly documents: DocumentService;
  readonly store: SqliteStore;
  readonly events: ChangeEvent[];
  readonly faults: unknown[];
  /** Messages sent to partners. */
  readonly sent: LinkMessage[];
  /** Decides the fate of each message; `none` by default. */
  link: (message: LinkMessage) => LinkFault | Promise<LinkFault>;
  interconnection: Interconnection;
  readonly administrator: AdministratorPrincipal;
  readonly server: ServerPrincipal;
  /** How the other systems know this one. */
  readonly asPartner: PartnerPrincipal;
  /** A user of this system. */
  client(name: string): ClientPrincipal;
  /** Creates or replaces a home group; `name` is its user part. */
  putGroup(name: string, sketch?: GroupSketch): Promise<void>;
  deleteGroup(name: string): Promise<void>;
  /** Journal entries of an action. */
  journal(action: string): Promise<readonly JournalRecord[]>;
  reload(settings: SystemSettings): void;
  /** Ends the interconnection as a crash would, and starts another on the same store. */
  restart(settings?: SystemSettings): Promise<void>;
}

/** What a test may say about one system; everything else is fixed. */
export interface SystemSettings {
  readonly servedUsers?: readonly string[];
  readonly awayUsers?: readonly string[];
  /** By name of the partner. */
  readonly partners: Readonly<Record<string, PartnerSketch>>;
  readonly revalidate?: number;
  readonly brake?: BrakeSettings;
  readonly catchUpRate?: number;
}

export interface PartnerSketch {
  readonly agreement: Partial<Record<keyof PartnerConfiguration['agreement'], unknown>>;
  readonly xcapRoots?: readonly string[];
  readonly provide?: PartnerConfiguration['provide']['to'];
  readonly sip?: readonly string[];
  /** Rules of a policy file as YAML. */
  readonly inbound?: string;
  readonly outbound?: string;
  readonly policyVersion?: number;
}

export interface Systems {
  readonly clock: TestClock;
  readonly red: TestSystem;
  readonly blue: TestSystem;
  readonly green: TestSystem;
  /** Lets everything that is due happen. */
  settle(): Promise<void>;
  advance(seconds: number): Promise<void>;
  close(): Promise<void>;
}

const all = (name: string): readonly { groups: string }[] => [{ groups: `sip:*@${name}.example` }];

/** An agreement by which `primary` provides everything to the other side, and may be asked for everything. */
export function primaryAgreement(primary: string): PartnerSketch['agreement'] {
  return { weProvide: all(primary), theyRequest: all(primary) };
}

/** The other side of `primaryAgreement`. */
export function partnerAgreement(primary: string): PartnerSketch['agreement'] {
  return { theyProvide: all(primary), weRequest: all(primary) };
}

/** Systems red (primary) and blue (partner), and green, which knows nobody unless the test says so. */
export async function openSystems(
  settings: { readonly red?: SystemSettings; readonly blue?: SystemSettings; readonly green?: SystemSettings } = {},
): Promise<Systems> {
  const clock = new TestClock();
  const systems = new Map<string, TestSystem>();
  const closers: (() => Promise<void>)[] = [];
  for (const [name, given] of [
    ['red', settings.red ?? { partners: { blue: { agreement: primaryAgreement('red') } } }],
    ['blue', settings.blue ?? { partners: { red: { agreement: partnerAgreement('red') } } }],
    ['green', settings.green ?? { partners: {} }],
  ] as const) {
    const { system, close } = await openSystem(name, given, clock, systems);
    systems.set(name, system);
    closers.push(close);
  }
  const running = [...systems.values()];
  const [red, blue, green] = running;
  if (red === undefined || blue === undefined || green === undefined) throw new Error('a system is missing');
  for (const system of running) system.interconnection.start();
  const settle = async (): Promise<void> => {
    for (const system of running) await system.interconnection.idle();
  };
  await settle();
  return {
    clock,
    red,
    blue,
    green,
    settle,
    advance: (seconds) => clock.advance(seconds * 1000, settle),
    close: async () => {
      for (const close of closers) await close();
    },
  };
}

async function openSystem(
  name: TestSystem['name'],
  given: SystemSettings,
  clock: TestClock,
  systems: ReadonlyMap<string, TestSystem>,
): Promise<{ readonly system: TestSystem; readonly close: () => Promise<void> }> {
  const directory = await mkdtemp(join(tmpdir(), 'interconnect-'));
  const now = (): Date => new Date(clock.now());
  const store = await openSqliteStore(join(directory, 'store.db'), { now });
  const first = settingsOf(name, given);
  const documents = await documentsOf(store, first, now);
  const events: ChangeEvent[] = [];
  documents.onChange((event) => events.push(event));
  const administrator: AdministratorPrincipal = { role: 'administrator', identity: `sip:admin@${name}.example` };
  const keyOf = (group: string) =>
    ({ auid: 'org.openmobilealliance.groups', tree: 'users', xui: `sip:groups@${name}.example`, name: group }) as const;
  let deliveriesOf: Parameters<DocumentService['causeDeliveries']>[0] | undefined;
  // A restarted interconnection takes the place of the one before at the same documents.
  documents.causeDeliveries(async (change) => (await deliveriesOf?.(change)) ?? []);
  const begin = (settings: InterconnectionSettings): Interconnection =>
    new Interconnection({
      documents: new Proxy(documents, {
        get: (target, property) => {
          if (property === 'causeDeliveries') return (next: typeof deliveriesOf) => (deliveriesOf = next);
          const value: unknown = Reflect.get(target, property, target);
          return typeof value === 'function' ? value.bind(target) : value;
        },
      }),
      store,
      gms: linkOf(system, systems),
      settings,
      clock,
      random: () => 1,
      onFault: (fault) => system.faults.push(fault),
    });
  const system: TestSystem = {
    name,
    documents,
    store,
    events,
    faults: [],
    sent: [],
    link: () => 'none',
    interconnection: undefined as unknown as Interconnection,
    administrator,
    server: { role: 'server', identity: `sip:mcptt@${name}.example` },
    asPartner: { role: 'partner', partner: name, identity: `sip:gms@${name}.example` },
    client: (user) => ({ role: 'client', identities: [`sip:${user}@${name}.example`] }),
    async putGroup(group, sketch = {}) {
      const bytes = groupDocument({
        uri: `sip:${group}@${name}.example`,
        members: ['sip:omar@blue.example'],
        ...sketch,
      });
      await documents.put(administrator, keyOf(group), bytes, {});
    },
    deleteGroup: (group) => documents.delete(administrator, keyOf(group), {}),
    journal: async (action) => (await store.journal()).filter((record) => record.action === action),
    reload: (settings) => system.interconnection.reconfigure(settingsOf(name, settings)),
    async restart(settings = given) {
      void system.interconnection.stop();
      system.interconnection = begin(settingsOf(name, settings));
      system.interconnection.start();
      await system.interconnection.idle();
    },
  };
  system.interconnection = begin(first);
  return {
    system,
    close: async () => {
      await system.interconnection.stop();
      await store.close();
      await rm(directory, { recursive: true });
    },
  };
}

async function documentsOf(
  store: SqliteStore,
  settings: InterconnectionSettings,
  now: () => Date,
): Promise<DocumentService> {
  return new DocumentService({
    store,
    schemas: await schemas(),
    limits: defaultXmlLimits,
    cacheBytes: 16 * 1024 * 1024,
    served: servedUsers(settings.system),
    system: settings.system,
    now,
  });
}

function settingsOf(name: string, given: SystemSettings): InterconnectionSettings {
  const configuration: Configuration = configurationSchema.parse({
    system: {
      name,
      domains: [`${name}.example`],
      gms: `sip:gms@${name}.example`,
      servedUsers: given.servedUsers ?? [],
      awayUsers: given.awayUsers ?? [],
    },
    xcap: { listen: { port: 0 }, root: 'http://127.0.0.1/xcap-root' },
    storage: { sqlite: 'unused.db' },
    partners: Object.entries(given.partners).map(([partner, sketch]) => ({
      name: partner,
      domains: [`${partner}.example`],
      gms: `sip:gms@${partner}.example`,
      certificates: [{ san: `gms.${partner}.example` }],
      xcapRoots: sketch.xcapRoots ?? [`https://gms.${partner}.example/xcap-root`],
      agreement: sketch.agreement,
      provide: { to: sketch.provide ?? 'byGroupID' },
      sip: sketch.sip ?? [],
    })),
  });
  return {
    system: configuration.system,
    partners: configuration.partners.map((partner) => {
      const sketch = given.partners[partner.name];
      return {
        configuration: partner,
        inbound: policyOf(`from-${partner.name}`, sketch?.inbound, sketch?.policyVersion),
        outbound: policyOf(`to-${partner.name}`, sketch?.outbound, sketch?.policyVersion),
      };
    }),
    interconnect: {
      retry: { first: 1, ceiling: 60 },
      brake: given.brake ?? { share: 0.25, atLeast: 10, window: 3600 },
      revalidate: given.revalidate ?? 1000,
      patience: 5,
      catchUpRate: given.catchUpRate ?? 50,
      failureMemory: 3,
    },
  };
}

function policyOf(name: string, rules: string | undefined, version = 1): Policy {
  if (rules === undefined) return passThroughPolicy;
  return parsePolicy(`policy: ${name}\nversion: ${version}\nrules:\n${rules}\n`, `${name}.yaml`);
}

/** The partners of one system, reached by calling them. */
function linkOf(system: TestSystem, systems: ReadonlyMap<string, TestSystem>): PartnerGms {
  const ask = async <Outcome>(
    message: LinkMessage,
    act: (other: TestSystem) => Promise<Outcome>,
    refused: (refusal: Refusal) => Outcome,
    failed: (reason: string) => Outcome,
    signal: AbortSignal | undefined,
  ): Promise<Outcome> => {
    system.sent.push(message);
    const fault = await Promise.race([system.link(message), abortOf(signal)]);
    const other = systems.get(message.partner);
    if (other === undefined || fault === 'down') return failed('no connection');
    if (typeof fault === 'object') return fault as Outcome;
    try {
      const outcome = await act(other);
      return fault === 'answer lost' ? failed('connection closed') : outcome;
    } catch (error) {
      if (error instanceof Refusal) return refused(error);
      throw error;
    }
  };
  const refusedOrFailed = (
    refusal: Refusal,
  ): Extract<ProvideOutcome & FetchOutcome, { outcome: 'refused' | 'failed' }> => {
    const reason = `${refusal.code}: ${refusal.phrase}`;
    const { status } = refusal.row;
    return status < 500 ? { outcome: 'refused', status, reason } : { outcome: 'failed', reason };
  };
  const me = system.asPartner;
  return {
    provide: (partner, groupId, bytes, _knownTag, signal) =>
      ask<ProvideOutcome>(
        { kind: 'provide', partner, groupId },
        async (other) => {
          const { created, tag } = await other.interconnection.acceptProvision(me, groupId, bytes, {});
          return { outcome: 'accepted', created, tag };
        },
        refusedOrFailed,
        (reason) => ({ outcome: 'failed', reason }),
        signal,
      ),
    withdraw: (partner, groupId, _knownTag, signal) =>
      ask<ProvideOutcome>(
        { kind: 'withdraw', partner, groupId },
        async (other) => {
          await other.interconnection.acceptWithdrawal(me, groupId, {});
          return { outcome: 'accepted', created: false };
        },
        (refusal) => (refusal.row.status === 404 ? { outcome: 'accepted', created: false } : refusedOrFailed(refusal)),
        (reason) => ({ outcome: 'failed', reason }),
        signal,
      ),
    held: (partner, groupId, knownTags, signal) =>
      ask<FetchOutcome>(
        { kind: 'held', partner, groupId },
        async (other) => {
          const view = await other.interconnection.copyForPartner(me, groupId);
          if (view === undefined) return { outcome: 'absent' };
          if (knownTags.includes(view.tag)) return { outcome: 'unchanged' };
          return { outcome: 'fetched', bytes: view.bytes, tag: view.tag };
        },
        (refusal) => (refusal.row.status === 404 ? { outcome: 'absent' } : refusedOrFailed(refusal)),
        (reason) => ({ outcome: 'failed', reason }),
        signal,
      ),
    check: async (partner) => [{ root: `https://gms.${partner}.example/xcap-root`, answer: { status: 200 } }],
    directory: (partner, signal) =>
      ask<DirectoryOutcome>(
        { kind: 'directory', partner, groupId: '' },
        async (other) => {
          const entries = await other.interconnection.directoryForPartner(me);
          return { outcome: 'listed', groups: entries.map(({ groupId }) => groupId) };
        },
        refusedOrFailed,
        (reason) => ({ outcome: 'failed', reason }),
        signal,
      ),
    fetch: (partner, groupId, knownTag, signal) =>
      ask<FetchOutcome>(
        { kind: 'fetch', partner, groupId },
        async (other) => {
          const view = await other.interconnection.groupForPartner(me, groupId);
          if (view.tag === knownTag) return { outcome: 'unchanged' };
          return { outcome: 'fetched', bytes: view.bytes, tag: view.tag };
        },
        (refusal) => (refusal.row.status === 404 ? { outcome: 'absent' } : refusedOrFailed(refusal)),
        (reason) => ({ outcome: 'failed', reason }),
        signal,
      ),
  };
}

function abortOf(signal: AbortSignal | undefined): Promise<'down'> {
  return new Promise((resolve) => {
    if (signal?.aborted) resolve('down');
    else signal?.addEventListener('abort', () => resolve('down'), { once: true });
  });
}
