// One system, blue, that takes the groups of red: documents, policies and local edits on a store in a folder, which outlives a crash.
import { join } from 'node:path';
import { configurationSchema } from '../config/schema.ts';
import { schemas } from '../documents/documents.testkit.ts';
import { DocumentService } from '../documents/service.ts';
import type { AdministratorPrincipal, PartnerPrincipal } from '../identity/principal.ts';
import { servedUsers } from '../identity/served.ts';
import type { Policy } from '../policy/policy.ts';
import { passThroughPolicy, policyFromSource } from '../policy/policy-file.ts';
import { openSqliteStore, type SqliteStore } from '../store/sqlite/sqlite-store.ts';
import { defaultXmlLimits } from '../xml/limits.ts';
import type { TestClock } from './interconnect.testkit.ts';
import { Interconnection } from './interconnection.ts';
import { LocalEdits } from './local-edits.ts';
import { previewPolicy } from './policy-preview.ts';
import { PolicyVersions } from './policy-versions.ts';
import type { PartnerGms } from './ports.ts';

/** The partner as it is known when it provides. */
export const red: PartnerPrincipal = { role: 'partner', partner: 'red', identity: 'sip:gms@red.example' };
/** A local administrator. */
export const admin: AdministratorPrincipal = { role: 'administrator', identity: 'sip:admin@blue.example' };

const configuration = configurationSchema.parse({
  system: { name: 'blue', domains: ['blue.example'], gms: 'sip:gms@blue.example' },
  xcap: { listen: { port: 0 }, root: 'http://127.0.0.1/xcap-root' },
  storage: { sqlite: 'unused.db' },
  partners: [
    {
      name: 'red',
      domains: ['red.example'],
      gms: 'sip:gms@red.example',
      certificates: [{ san: 'gms.red.example' }],
      agreement: { theyProvide: [{ groups: 'sip:*@red.example' }] },
      provide: { to: 'none' },
    },
  ],
});

const failed = async (): Promise<{ outcome: 'failed'; reason: string }> => ({ outcome: 'failed', reason: 'no link' });

/** A system blue on a store in a folder; everything but the folder goes with `crash`. */
export async function openBlue(
  folder: string,
  clock: TestClock,
  file: Policy = passThroughPolicy,
  versionsKept?: number,
) {
  const store: SqliteStore = await openSqliteStore(join(folder, 'store.db'));
  const documents = new DocumentService({
    store,
    schemas: await schemas(),
    limits: defaultXmlLimits,
    cacheBytes: 1024 * 1024,
    served: servedUsers(configuration.system),
    system: configuration.system,
    now: () => new Date(clock.now()),
  });
  const onDisk = { inbound: file };
  const versions = new PolicyVersions({
    store,
    clock,
    compile: (source) => policyFromSource(source),
    versionsKept,
    onDisk: async (_partner, direction) => (direction === 'inbound' ? (onDisk.inbound.digest ?? '') : ''),
  });
  const settings = await versions.inForce({
    system: configuration.system,
    partners: configuration.partners.map((partner) => ({
      configuration: partner,
      inbound: file,
      outbound: passThroughPolicy,
    })),
    interconnect: {
      retry: { first: 1, ceiling: 60 },
      brake: { share: 1, atLeast: 10, window: 3600 },
      revalidate: 1000,
      patience: 5,
      catchUpRate: 50,
      failureMemory: 3,
    },
  });
  const faults: unknown[] = [];
  const interconnection = new Interconnection({
    documents,
    store,
    gms: new Proxy({}, { get: () => failed }) as PartnerGms,
    settings,
    clock,
    onFault: (fault) => faults.push(fault),
  });
  versions.attach(
    interconnection.extend((context) => ({
      settings: () => context.current().settings,
      reconfigure: (now) => interconnection.reconfigure(now),
      preview: (...asked) => previewPolicy(context, ...asked),
      derivations: context.derivations,
    })),
  );
  const edits = interconnection.extend((context) => new LocalEdits(context));
  interconnection.start();
  return { store, documents, versions, interconnection, edits, faults, onDisk };
}

export type Blue = Awaited<ReturnType<typeof openBlue>>;

/** Leaves everything as a crash would. */
export async function crash({ interconnection, store }: Blue): Promise<void> {
  // What is under way is cut off by the store that is gone.
  void interconnection.stop();
  await store.close();
}
