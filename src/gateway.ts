// The composition root: a prepared configuration in, a running gateway out. The only place that knows every room.
// What is opened is closed in reverse, when the gateway stops as well as when a later part cannot start.
import type { Logger } from 'pino';
import type { ConfiguredFiles } from './config/configured-files.ts';
import type { Configuration } from './config/schema.ts';
import { configuredUsages } from './documents/application-usage.ts';
import { RefusalNotes } from './documents/refusal-notes.ts';
import { DocumentService } from './documents/service.ts';
import { failedAt } from './gateway/failed-at.ts';
import { Opened } from './gateway/opened.ts';
import {
  authenticatorOf,
  edgeProxiesOf,
  interconnectionSettings,
  partnerClientOf,
} from './gateway/partner-settings.ts';
import { withRealPorts } from './gateway/real-ports.ts';
import { closeUnused, policiesOf } from './gateway/replaced-policies.ts';
import { restartKeys, takenOver } from './gateway/restart-keys.ts';
import { openSipEngine, partnerAddress } from './gateway/sip-engine.ts';
import { StoreHealth } from './gateway/store-health.ts';
import { interconnectTls, listenerTls, sipTls } from './gateway/tls-files.ts';
import { type UserCredentials, userCredentials } from './gateway/user-credentials.ts';
import { type Validity, validities, warnOfExpiry } from './gateway/validity.ts';
import { gatewayVersion } from './gateway/version.ts';
import { type Authenticator, principalNow } from './identity/authenticate.ts';
import { servedUsers } from './identity/served.ts';
import { canonicalUri } from './identity/uri.ts';
import { systemClock } from './interconnect/clock.ts';
import { Interconnection } from './interconnect/interconnection.ts';
import { keepPruned } from './interconnect/kept-policies.ts';
import { LocalEdits } from './interconnect/local-edits.ts';
import { previewPolicy } from './interconnect/policy-preview.ts';
import { PolicyVersions } from './interconnect/policy-versions.ts';
import type { PartnerGms } from './interconnect/ports.ts';
import { managementApi } from './manage/management-api.ts';
import { startManagementListener } from './manage/management-listener.ts';
import { createMetrics, type Metrics } from './manage/metrics.ts';
import { configuredOperators, operatorNamed } from './manage/operators.ts';
import { type Prepared, policyDigestOnDisk } from './manage/prepare.ts';
import { drainTime, type RunningGateway } from './manage/running-gateway.ts';
import { endToEndChange } from './policy/end-to-end-change.ts';
import { policyFromSource } from './policy/policy-file.ts';
import type { Engine } from './sip/engine/engine.ts';
import { releaseMemoryWhenQuiet } from './sip/engine/idle-memory.ts';
import { type SipFace, startSipFace } from './sip/sip-face.ts';
import { retainJournal } from './store/journal-retention.ts';
import { openStore, storeKey } from './store/open-store.ts';
import type { Store } from './store/store.ts';
import type { EdgeProxies } from './xcap/conveyed-certificate.ts';
import { startInterconnectFace } from './xcap/interconnect-face.ts';
import { startXcapFace } from './xcap/own-face.ts';
import type { PartnerClient } from './xcap/partner-client.ts';
import { defaultXmlLimits } from './xml/limits.ts';
import { SchemaLibrary } from './xml/schema.ts';

/** What SIGHUP replaces. */
interface Current {
  readonly files: ConfiguredFiles;
  readonly configuration: Configuration;
  readonly authenticate: Authenticator;
  readonly users: UserCredentials;
  readonly partners: PartnerClient;
  readonly edge: EdgeProxies;
  readonly validities: readonly Validity[];
}

/** What the parts of one gateway share while it is put together. */
interface Site {
  readonly configuration: Configuration;
  readonly current: () => Current;
  readonly log: Logger;
  readonly opened: Opened;
  /** Ends the gateway. */
  readonly fail: (error: Error) => void;
}

/** Starts a gateway; rejects, having closed what was opened, when a part cannot start. */
export async function startGateway(prepared: Prepared, log: Logger): Promise<RunningGateway> {
  const opened = new Opened(log);
  try {
    return await compose(prepared, log, opened);
  } catch (error) {
    await opened.close();
    throw error;
  }
}

async function compose(prepared: Prepared, log: Logger, opened: Opened): Promise<RunningGateway> {
  const configuration = await withRealPorts(prepared.configuration);
  const { promise: failed, resolve: fail } = Promise.withResolvers<Error>();
  let notReady: string | undefined = 'starting';
  const { files } = prepared;
  let current = await currentOf(configuration, files, log);
  opened.add('partner client', () => current.partners.close());
  const stopReleasing = releaseMemoryWhenQuiet();
  opened.add('memory', async () => stopReleasing());
  const site: Site = { configuration, current: () => current, log, opened, fail };

  const { storage } = configuration;
  const health = new StoreHealth(log, fail);
  const store = await openStore(storage, { onNote: (note) => health.note(note) }).catch(
    failedAt(`storage.${storeKey(storage)}`),
  );
  opened.add('store', () => store.close());
  const { journal: bounds } = storage;
  const endRetention = retainJournal({
    store,
    bounds,
    now: Date.now,
    onFault: (err) => log.error({ err }, 'the journal could not be pruned'),
  });
  opened.add('journal retention', endRetention);
  const documents = await openDocuments(site, store);
  const policies = new PolicyVersions({
    store,
    clock: systemClock,
    compile: (source) => policyFromSource(source),
    onDisk: policyDigestOnDisk,
    versionsKept: storage.policyVersions,
  });
  let inForce = await policies.inForce(interconnectionSettings({ ...prepared, configuration }));
  // Another version than that of the file may be in force.
  closeUnused(prepared.policies.values(), inForce);
  const interconnection = new Interconnection({
    store,
    documents,
    gms: partnerGms(site),
    settings: inForce,
    onAttempt: ({ partner, outcome, milliseconds }) => metrics.deliveryAttempted(partner, outcome, milliseconds),
    onAsked: ({ partner, outcome, milliseconds }) => metrics.partnerAsked(partner, outcome, milliseconds),
    onRefused: (partner, code) => metrics.partnerRefused(partner, code),
    onBraked: (held) => log.warn(held, 'the brake holds: see mcgw delivery list, let go by mcgw delivery release'),
    onOrphaned: (orphaned) =>
      log.warn(orphaned, 'stored groups belong to a partner that is not configured (renamed?): see mcgw partner list'),
    onFault: (err: unknown) => log.error({ err }, 'interconnection'),
  });
  const reconfigure = (settings: typeof inForce): void => {
    interconnection.reconfigure(settings);
    closeUnused(policiesOf(inForce), settings);
    inForce = settings;
  };
  policies.attach(
    interconnection.extend((context) => ({
      settings: () => context.current().settings,
      reconfigure,
      preview: (...asked) => previewPolicy(context, ...asked),
      derivations: context.derivations,
    })),
  );
  const endPruning = keepPruned(
    () => policies.prune(),
    (err) => log.error({ err }, 'texts of policies could not be pruned'),
  );
  opened.add('policy retention', endPruning);
  const localEdits = interconnection.extend((context) => new LocalEdits(context));
  let sip: SipFace | undefined;
  const metrics = createMetrics({
    store,
    deliveryProgress: () => interconnection.deliveryProgress(),
    requestLoad: () => interconnection.requestLoad,
    now: Date.now,
    subscriptions: () => sip?.subscriptionCount ?? 0,
    notificationsWaiting: () => sip?.notificationsWaiting ?? 0,
    validities: () => current.validities,
  });
  const openedSip = await openSip(site, store, documents, interconnection, metrics);
  const sipFace = openedSip?.face;
  sip = sipFace;
  if (sipFace !== undefined) interconnection.useWatch((listener) => sipFace.watchPartners(listener));
  const stopWarning = warnOfExpiry(() => current.validities, Date.now, log);
  opened.add('expiry warnings', async () => stopWarning());
  opened.add('metrics', async () => stopCounting());
  const stopCounting = documents.onChange(({ changes }) => metrics.documentsChanged(changes.length));

  const answered =
    (face: string) =>
    ({ method, status, milliseconds }: { method: string; status: number; milliseconds: number }): void =>
      metrics.httpAnswered(face, method, status, milliseconds);
  const { documentBytes, bodiesInFlightBytes, bodiesInFlightBytesPerCaller } = configuration.limits;
  const limits = { documentBytes, bodiesInFlightBytes, bodiesInFlightBytesPerCaller, drainTimeout: drainTime };
  const served = servedUsers(configuration.system);
  const refusals = new RefusalNotes({
    store,
    now: () => new Date(),
    onFault: (err) => log.error({ err }, 'a refusal could not be journalled'),
  });
  opened.add('refusal notes', async () => refusals.flush());
  const xcap = await startXcapFace({
    listen: { ...configuration.xcap.listen, tls: listenerTls(configuration.xcap.listen, files) },
    root: configuration.xcap.root,
    documents,
    groups: interconnection,
    authenticate: (credentials) => current.authenticate.own(credentials),
    knowsXui: served.isHomed,
    limits,
    log: log.child({ face: 'xcap' }),
    onAnswer: answered('xcap'),
    onRefusal: (...refused) => refusals.note(...refused),
  }).catch(failedAt('xcap.listen'));
  opened.add('xcap face', () => xcap.close());

  const interconnect =
    configuration.interconnect === undefined
      ? undefined
      : await startInterconnectFace({
          listen: { ...configuration.interconnect.listen, tls: interconnectTls(configuration, files) },
          root: configuration.interconnect.root,
          groups: interconnection,
          authenticate: (credentials) => current.authenticate.partner(credentials),
          edge: () => current.edge,
          limits: { ...limits, bytesOf: (partner) => bodyBytesOf(current.configuration, partner) },
          log: log.child({ face: 'interconnect' }),
          onAnswer: answered('interconnect'),
        }).catch(failedAt('interconnect.listen'));
  if (interconnect !== undefined) opened.add('interconnect face', () => interconnect.close());

  const { manage } = configuration;
  const management =
    manage === undefined
      ? undefined
      : await startManagementListener(
          {
            ...manage.listen,
            tls: listenerTls(manage.listen, files),
            operatorOf: (request) => operatorNamed(configuredOperators(current.configuration), request),
          },
          managementApi({
            store,
            documents,
            own: interconnection,
            policies,
            localEdits,
            ownAddress: { gms: configuration.system.gms, xcapRoot: configuration.xcap.root },
            partners: () => current.configuration.partners,
            groupCreationXui: () => canonicalUri(configuration.system.groupCreationXui ?? ''),
            isHomed: served.isHomed,
            subscriptions: () => sip?.subscriptions() ?? [],
            now: Date.now,
            operators: () => configuredOperators(current.configuration),
            version: gatewayVersion(),
            documentBytes: configuration.limits.documentBytes,
            metrics,
            notReady: () => notReady ?? health.problem,
            log: log.child({ face: 'manage' }),
          }),
        ).catch(failedAt('manage.listen'));
  if (management !== undefined) opened.add('management face', () => management.close());

  interconnection.start();
  opened.add('interconnection', () => interconnection.stop());
  notReady = undefined;

  return {
    urls: {
      xcap: boundRoot(xcap.url, configuration.xcap.root),
      ...(interconnect === undefined || configuration.interconnect === undefined
        ? {}
        : { interconnect: boundRoot(interconnect.url, configuration.interconnect.root) }),
      sip: sip?.uris ?? [],
      ...(management === undefined ? {} : { manage: management.url }),
    },
    failed,
    async reload(changed) {
      const before = current;
      const next = takenOver(configuration, changed.configuration);
      const interconnectMaterial = interconnectTls(next, changed.files);
      // everything that can fail comes first, so that a failed reload changes nothing
      const settings = await policies.inForce(interconnectionSettings({ ...changed, configuration: next }));
      current = await currentOf(next, changed.files, log, before.users);
      for (const [face, tls] of [
        [xcap, listenerTls(next.xcap.listen, changed.files)],
        [interconnect, interconnectMaterial],
        [management, manage === undefined ? undefined : listenerTls(manage.listen, changed.files)],
      ] as const) {
        if (tls !== undefined) face?.replaceTls(tls);
      }
      const sipMaterial = sipTls(next, changed.files);
      if (sipMaterial !== undefined) await openedSip?.engine?.replaceTls(sipMaterial);
      log.level = next.logging.level;
      reconfigure(settings);
      closeUnused(changed.policies.values(), settings);
      sip?.recheck();
      closeLater(before);
      return restartKeys(prepared.configuration, changed.configuration);
    },
    async close() {
      notReady = 'stopping';
      await opened.close();
    },
  };
}

async function currentOf(
  configuration: Configuration,
  files: ConfiguredFiles,
  log: Logger,
  before?: UserCredentials,
): Promise<Current> {
  const users = await userCredentials(configuration.identity, files, log, before);
  return {
    configuration,
    files,
    users,
    authenticate: authenticatorOf(configuration, users.schemes, files),
    partners: partnerClientOf(configuration, files),
    edge: await edgeProxiesOf(configuration, files),
    validities: await validities(configuration, files),
  };
}

// Requests of the client before still run; their answers count.
function closeLater({ partners, configuration }: Current): void {
  const longest = (configuration.interconnect?.timeout ?? 0) * 1000;
  setTimeout(() => void partners.close(), longest).unref();
}

function partnerGms({ current }: Site): PartnerGms {
  return {
    provide: (...provision) => current().partners.provide(...provision),
    withdraw: (...withdrawal) => current().partners.withdraw(...withdrawal),
    fetch: (...request) => current().partners.fetch(...request),
    held: (...question) => current().partners.held(...question),
    check: (partner) => current().partners.check(partner),
    directory: (...request) => current().partners.directory(...request),
  };
}

async function openDocuments({ configuration, log, opened }: Site, store: Store): Promise<DocumentService> {
  const { documentBytes, elementDepth, cacheBytes } = configuration.limits;
  const { applicationUsages, compatibility } = configuration;
  const schemas = await SchemaLibrary.load({ operatorSchemas: operatorSchemas(applicationUsages) });
  opened.add('schemas', () => schemas.close());
  const documents = new DocumentService({
    store,
    schemas,
    usages: configuredUsages(applicationUsages),
    bareAttributeValues: compatibility.bareAttributeValues,
    limits: { ...defaultXmlLimits, documentBytes, elementDepth },
    cacheBytes,
    served: servedUsers(configuration.system),
    system: configuration.system,
    bindsBothSystems: endToEndChange,
    report: (err) => log.error({ err }, 'a change could not be passed on'),
  });
  // The first documents need not wait for the thread that judges them, nor the start of the other parts
  void documents.prepare();
  return documents;
}

async function openSip(
  site: Site,
  store: Store,
  documents: DocumentService,
  interconnection: Interconnection,
  metrics: Metrics,
): Promise<{ readonly face: SipFace; readonly engine: Engine | undefined } | undefined> {
  const { configuration, current, log, opened } = site;
  const { sip, system, xcap, interconnect } = configuration;
  if (sip === undefined) return undefined;
  const { access, engine } = await openSipEngine(configuration, sip, current().files, store).catch(
    failedAt(sip.engine === 'embedded' ? 'sip.listen' : 'sip.engine'),
  );
  if (engine !== undefined) {
    opened.add('sip engine', () => engine.close());
    void engine.exited.then((error) => {
      if (error !== undefined) site.fail(error);
    });
  }
  const face = await startSipFace({
    engine: access,
    gms: system.gms,
    xcapRoot: xcap.root,
    partners: interconnect === undefined ? undefined : { facing: interconnection, xcapRoot: interconnect.root },
    documents,
    interconnect: interconnection,
    store,
    served: servedUsers(system),
    authenticate: (credentials) => current().authenticate.sip(credentials),
    principalNow: (stored) => principalNow(stored, system, configuration.partners),
    settings: sip,
    partnerAddress: (partner) => partnerAddress(current().configuration, partner),
    log: log.child({ face: 'sip' }),
    onExchange: ({ direction, method, status, milliseconds }) =>
      metrics.sipExchanged(direction, method, status, milliseconds),
  });
  const atShutdown = sip.atShutdown ?? (sip.engine === 'embedded' ? 'deactivate' : 'keep');
  opened.add('sip face', () => face.close({ deactivate: atShutdown === 'deactivate' }));
  return { face, engine };
}

function bodyBytesOf({ partners }: Configuration, name: string): number | undefined {
  return partners.find((partner) => partner.name === name)?.limits.bytesInFlight;
}

function operatorSchemas(usages: Configuration['applicationUsages']): ReadonlyMap<string, string> {
  return new Map(usages.flatMap(({ auid, schema }) => (schema === undefined ? [] : [[auid, schema] as const])));
}

// The root as this machine reaches it: the bound address with the path of the root.
function boundRoot(url: string, root: string): string {
  return `${url}${new URL(root).pathname.replace(/\/$/, '')}`;
}
