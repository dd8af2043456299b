// What Prometheus may scrape: counters that the rooms feed through plain functions, and gauges asked of the store at each scrape.
// Labels name faces, methods, statuses and partners; never users or groups.
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Store } from '../store/store.ts';

export interface Metrics {
  /** Media type of `expose`. */
  readonly contentType: string;
  /** All metrics in the text format of Prometheus. */
  expose(): Promise<string>;
  /** One answered HTTP request. */
  httpAnswered(face: string, method: string, status: number, milliseconds: number): void;
  /** One commit that changed documents. */
  documentsChanged(count: number): void;
}

const methods = new Set(['GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'OPTIONS']);

/** What the gauges are read from at each scrape. */
export interface MetricSources {
  readonly store: Pick<Store, 'deliveries'>;
  /** Number of subscriptions of others to us. */
  readonly subscriptions: () => number;
}

/** A registry of its own with the metrics of one gateway. */
export function createMetrics({ store, subscriptions }: MetricSources): Metrics {
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
  const changes = new Counter({ name: 'mcgw_document_changes_total', help: 'Documents changed', registers });
  new Gauge({
    name: 'mcgw_deliveries',
    help: 'Deliveries that wait (queued) or were given up (parked)',
    labelNames: ['partner', 'state'],
    registers,
    async collect() {
      this.reset();
      for (const state of ['queued', 'parked'] as const) {
        for (const { partner } of await store.deliveries({ state })) this.inc({ partner, state });
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
  return {
    contentType: registry.contentType,
    expose: () => registry.metrics(),
    httpAnswered(face, method, status, milliseconds) {
      // a peer chooses its method freely, and each label value costs memory for good
      const known = methods.has(method) ? method : 'other';
      requests.inc({ face, method: known, status: String(status) });
      durations.observe({ face, method: known }, milliseconds / 1000);
    },
    documentsChanged: (count) => changes.inc(count),
  };
}
