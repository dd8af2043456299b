// The SIP engine that a configuration asks for: the embedded one in a worker, or a connection to one that runs elsewhere.
import type { ConfiguredFiles } from '../config/configured-files.ts';
import type { Configuration } from '../config/schema.ts';
import type { Engine, EngineOptions } from '../sip/engine/engine.ts';
import { startEngineInWorker } from '../sip/engine/worker-engine.ts';
import { type PartnerAddress, type SipEngineAccess, subscriptionDialogs } from '../sip/sip-face.ts';
import type { Store } from '../store/store.ts';
import { sipTls } from './tls-files.ts';

type SipConfiguration = NonNullable<Configuration['sip']>;

export interface OpenedEngine {
  readonly access: SipEngineAccess;
  /** Only when it is embedded. */
  readonly engine?: Engine | undefined;
}

/** What the configuration says of an embedded engine. Throws when a TLS file cannot be read. */
export function engineOptions(
  configuration: Configuration,
  sip: SipConfiguration,
  files: ConfiguredFiles,
): EngineOptions {
  const tls = sipTls(configuration, files);
  return {
    listen: sip.listen,
    timers: sip.timers,
    natDetection: sip.natDetection,
    ...(tls === undefined ? {} : { tls }),
    ...(sip.outboundProxy === undefined ? {} : { outboundProxy: sip.outboundProxy }),
  };
}

/** Starts the embedded engine with the dialogs of the stored subscriptions, or says where the other one is. Rejects when it cannot start. */
export async function openSipEngine(
  configuration: Configuration,
  sip: SipConfiguration,
  files: ConfiguredFiles,
  store: Pick<Store, 'subscriptions'>,
): Promise<OpenedEngine> {
  if (sip.engine !== 'embedded') {
    const { host, port, secret, largestFrame } = sip.engine.drachtio;
    return {
      access: {
        control: { host, port, secret },
        listening: sip.listen,
        largestFrame,
        resumesDialogs: false,
        inflates: false,
      },
    };
  }
  const dialogs = await subscriptionDialogs(store, Date.now());
  const engine = await startEngineInWorker({ ...engineOptions(configuration, sip, files), dialogs });
  return { engine, access: { ...engine, resumesDialogs: true, inflates: true } };
}

/** Where we subscribe at a partner; undefined when the configuration names no way to it over SIP. */
export function partnerAddress({ partners, sip }: Configuration, name: string): PartnerAddress | undefined {
  const partner = partners.find((one) => one.name === name);
  if (partner === undefined || (partner.sip.length === 0 && sip?.outboundProxy === undefined)) return undefined;
  return { gms: partner.gms, nextHops: partner.sip };
}
