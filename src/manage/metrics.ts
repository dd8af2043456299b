// What Prometheus may scrape: counters that the rooms feed through plain functions, and gauges asked of the store at each scrape.
// Labels name faces, methods, statuses and partners; never users or groups.
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { DeliveryProgress } from '../interconnect/ports.ts';
import type { Store } from '../store/store.ts';

export interface Metrics {
  /** Media type of `expose`. */
  readonly contentType: string;
  /** All metrics in the text format of Prometheus. */
  expose(): Promise<string>;
  /** One answered HTTP request. */
  httpAnswered(face: string, method: string, status: number, milliseconds: number): void;
  /** One SIP request with its final answer, of others (`in`) or of ours (`out`). */
  sipExchanged(direction: 'in' | 'out', method: string, status: number, milliseconds: number): void;
  /** One commit that changed documents. */
  documentsChanged(count: number): void;
  /** One request for a group to a partner. */
  partnerAsked(partner: string, outcome: string, milliseconds: number): void;
  /** Something was refused to a partner. */
  partnerRefused(partner: string, code: string): void;
  /** One attempt to deliver something to a partner. */
  deliveryAttempted(partner: string, outcome: string, milliseconds: number): void;
}

const methods = new Set(['GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'OPTIONS']);

/** What the gauges are read from at each scrape. */
export interface MetricSources {
  readonly store: Pick<Store, 'sourceStates'>;
  /** Requests for groups under way and waiting, by partner. */
  readonly requestLoad: () => ReadonlyMap<string, { readonly running: number; readonly waiting: number }>;
  /** How far the deliveries to each partner are. */
  readonly deliveryProgress: () => Promise<readonly DeliveryProgress[]>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Number of subscriptions of others to us. */
  readonly subscriptions: () => number;
  /** NOTIFYs that wait for their turn to be sent. */
  readonly notificationsWaiting: () => number;
  /** Until when certificates and revocation lists are good, by configuration key; milliseconds since 1970. */
  readonly validities: () => readonly { readonly key: string; readonly until: number }[];
}

/** A registry of its own with the metrics of one gateway. */
export function createMetrics({
  store,
  deliveryProgress,
  requestLoad,
  now,
  subscriptions,
  notificationsWaiting,
  validities,
}: MetricSources): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const requests = new Counter({
    name: 'mcgw_http_requests_total',
    help: 'HTTP requests answered',
    labelNames: ['face', 'method', 'status'],
    registers,
  });
  const durations = new Histogram({
    name: 'mcgw_http_request_seconds',
    help: 'Time from the complete header to the answer',
    labelNames: ['face', 'method'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5],
    registers,
  });
  const sipRequests = new Counter({
    name: 'mcgw_sip_requests_total',
    help: 'SIP requests with their final answers, of others (in) and of ours (out)',
    labelNames: ['direction', 'method', 'status'],
    registers,
  });
  const sipDurations = new Histogram({
    name: 'mcgw_sip_request_seconds',
    help: 'Time from a SIP request to its final answer',
    labelNames: ['direction', 'method'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 32],
    registers,
  });
  const changes = new Counter({ name: 'mcgw_document_changes_total', help: 'Documents changed', registers });
  new Gauge({
    name: 'mcgw_deliveries',
    help: 'Deliveries that wait (queued), run (in_flight), are done (delivered), were given up (parked) or wait for an operator (braked)',
    labelNames: ['partner', 'state'],
    registers,
    async collect() {
      this.reset();
      for (const { partner, queued, inFlight, delivered, parked, braked } of await deliveryProgress()) {
        const counts = { queued, in_flight: inFlight, delivered, parked, braked };
        for (const [state, count] of Object.entries(counts)) this.set({ partner, state }, count);
      }
    },
  });
  new Gauge({
    name: 'mcgw_delivery_oldest_seconds',
    help: 'Age of the oldest delivery that is not done; 0 = none waits',
    labelNames: ['partner'],
    registers,
    async collect() {
      this.reset();
      for (const { partner, oldest } of await deliveryProgress()) {
        this.set({ partner }, oldest === undefined ? 0 : Math.max(0, (now() - Date.parse(oldest)) / 1000));
      }
    },
  });
  new Gauge({
    name: 'mcgw_delivery_circuit_open',
    help: '1 while nothing is sent to a partner that failed, 0.5 while it is probed, otherwise 0',
    labelNames: ['partner'],
    registers,
    async collect() {
      this.reset();
      const values = { open: 1, 'half-open': 0.5, closed: 0 } as const;
      for (const { partner, circuit } of await deliveryProgress()) this.set({ partner }, values[circuit]);
    },
  });
  const attempts = new Histogram({
    name: 'mcgw_delivery_seconds',
    help: 'Time from sending a delivery to its outcome',
    labelNames: ['partner', 'outcome'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
    registers,
  });
  new Gauge({
    name: 'mcgw_requests',
    help: 'Requests for groups to partners under way (running) and waiting for their turn',
    labelNames: ['partner', 'state'],
    registers,
    collect() {
      this.reset();
      for (const [partner, load] of requestLoad()) {
        for (const [state, count] of Object.entries(load)) this.set({ partner, state }, count);
      }
    },
  });
  const asked = new Histogram({
    name: 'mcgw_request_seconds',
    help: 'Time from a request for a group to the answer of the partner',
    labelNames: ['partner', 'outcome'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
    registers,
  });
  const refusals = new Counter({
    name: 'mcgw_partner_refusals_total',
    help: 'What partners were refused, by stable code or cause, limits included',
    labelNames: ['partner', 'code'],
    registers,
  });
  new Gauge({
    name: 'mcgw_foreign_groups',
    help: 'Groups of partners kept here: all, those that cannot be checked for changes now (stale), those waiting for a release (held)',
    labelNames: ['partner', 'state'],
    registers,
    async collect() {
      this.reset();
      for (const { partner, staleSince, heldSince } of await store.sourceStates()) {
        this.inc({ partner, state: 'all' });
        if (staleSince !== undefined) this.inc({ partner, state: 'stale' });
        if (heldSince !== undefined) this.inc({ partner, state: 'held' });
      }
    },
  });
  new Gauge({
    name: 'mcgw_subscriptions',
    help: 'Subscriptions of others to us',
    registers,
    collect() {
      this.set(subscriptions());
    },
  });
  new Gauge({
    name: 'mcgw_notifications_waiting',
    help: 'NOTIFYs that wait for their turn to be sent',
    registers,
    collect() {
      this.set(notificationsWaiting());
    },
  });
  new Gauge({
    name: 'mcgw_valid_until_seconds',
    help: 'When the first certificate or revocation list in the file of a configuration key runs out, seconds since 1970',
    labelNames: ['key'],
    registers,
    collect() {
      this.reset();
      for (const { key, until } of validities()) this.set({ key }, until / 1000);
    },
  });
  return {
    contentType: registry.contentType,
    expose: () => registry.metrics(),
    httpAnswered(face, method, status, milliseconds) {
      // a peer chooses its method freely, and each label value costs memory for good
      const known = methods.has(method) ? method : 'other';
      requests.inc({ face, method: known, status: String(status) });
      durations.observe({ face, method: known }, milliseconds / 1000);
    },
    sipExchanged(direction, method, status, milliseconds) {
      sipRequests.inc({ direction, method, status: statusLabel(status) });
      sipDurations.observe({ direction, method }, milliseconds / 1000);
    },
    partnerAsked: (partner, outcome, milliseconds) => asked.observe({ partner, outcome }, milliseconds / 1000),
    partnerRefused: (partner, code) => refusals.inc({ partner, code }),
    documentsChanged: (count) => changes.inc(count),
    deliveryAttempted: (partner, outcome, milliseconds) => attempts.observe({ partner, outcome }, milliseconds / 1000),
  };
}

/** Statuses that are told by themselves; of others, which a peer chooses freely, the class. */
const namedStatuses: ReadonlySet<number> = new Set([200, 400, 403, 404, 405, 408, 423, 429, 481, 489, 500, 503, 504]);

function statusLabel(status: number): string {
  return namedStatuses.has(status) ? String(status) : `${Math.floor(status / 100)}xx`;
}
