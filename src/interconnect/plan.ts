// What a start or a reload owes the partners: settings that changed since the last time are found by a fingerprint in the journal,
// then deliveries are queued (what we provide) and sources are derived again (what we hold).
import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { type RefusedDerivation, refusedKind } from '../documents/provenance.ts';
import type { DeliveryWrite } from '../store/store.ts';
import { inactivity, isToBeUndone, judgeAgreement, listsOf } from './agreement.ts';
import { isoTime } from './clock.ts';
import type { InterconnectionContext } from './context.ts';
import type { DerivationOutcome } from './derivations.ts';
import { deriveAgain } from './foreign.ts';
import { causeOf, entry } from './journal.ts';
import type { PartnerSettings } from './partners.ts';
import type { Primary } from './primary.ts';

/** Deliveries queued in one commit at most. */
const batchSize = 200;

/** Journal entries that tell how far a plan got. */
const planActions: ReadonlySet<string> = new Set(['agreement-changing', 'agreement-changed']);

export class Planning {
  readonly #context: InterconnectionContext;
  readonly #primary: Primary;
  readonly #wake: (partner: string) => void;
  #stopped = false;

  constructor(context: InterconnectionContext, primary: Primary, wake: (partner: string) => void) {
    this.#context = context;
    this.#primary = primary;
    this.#wake = wake;
  }

  /** Starts no further step. */
  stop(): void {
    this.#stopped = true;
  }

  /** Brings deliveries and derivations in line with the settings of now. A partner whose settings did not change costs nothing. */
  async run(): Promise<void> {
    for (const partner of this.#context.current().partners.all) {
      if (this.#stopped) return;
      try {
        await this.#alignPartner(partner);
      } catch (fault) {
        this.#context.onFault(fault);
      }
    }
    await this.#markOrphans();
  }

  /**
   * Copies of a partner that is configured no more are served on, but nobody can say whether they are current. A partner that was only
   * renamed looks the same, so somebody is told.
   */
  async #markOrphans(): Promise<void> {
    const { current, onOrphaned, staleness, store } = this.#context;
    const { partners } = current();
    const orphaned = new Map<string, { groups: number; deliveries: number; readonly homes: Set<string> }>();
    const left = (name: string) => {
      const known = orphaned.get(name) ?? { groups: 0, deliveries: 0, homes: new Set<string>() };
      orphaned.set(name, known);
      return known;
    };
    for (const { groupId, partner, staleSince } of await store.sourceStates()) {
      if (this.#stopped) return;
      if (partners.named(partner) !== undefined) continue;
      const kept = left(partner);
      kept.groups += 1;
      const home = partners.homeOf(groupId);
      if (home !== undefined) kept.homes.add(home.configuration.name);
      if (staleSince === undefined) await staleness.mark(groupId);
    }
    for (const { partner, action, state, count } of await store.deliveryCounts()) {
      // What was withdrawn there is done with.
      const isDone = action === 'withdraw' && state === 'delivered';
      if (!isDone && partners.named(partner) === undefined) left(partner).deliveries += count;
    }
    for (const [partner, { groups, deliveries, homes }] of orphaned) {
      onOrphaned?.({ partner, groups, deliveries, homes: [...homes].sort() });
    }
  }

  async #alignPartner(partner: PartnerSettings): Promise<void> {
    const { clock, places, store } = this.#context;
    await places.follow(partner.configuration);
    const subject = `partner:${partner.configuration.name}`;
    const known = (await store.journal({ subject })).filter(({ action }) => planActions.has(action)).at(-1)?.detail;
    const { domains, servedUsers, awayUsers } = this.#context.current().settings.system;
    const served = [domains, servedUsers, awayUsers];
    const outbound = outboundFingerprint(partner, served, clock.now());
    const inbound = inboundFingerprint(partner, served, clock.now());
    const digests = { inbound: partner.inbound.digest ?? '', outbound: partner.outbound.digest ?? '' };
    if (known?.outbound === outbound && known.inbound === inbound) {
      this.#context.derivations.inLine(partner.configuration.name, digests);
      return;
    }
    // Noted before and after: a plan that was cut short is made again, even for the settings before.
    await store.commit({ journal: [entry(clock, 'system', 'agreement-changing', subject, {})] });
    if (known?.outbound !== outbound) await this.#planDeliveries(partner);
    if (known?.inbound !== inbound) await this.#deriveAgain(partner);
    if (this.#stopped) return;
    await store.commit({ journal: [entry(clock, 'system', 'agreement-changed', subject, { outbound, inbound })] });
    this.#context.derivations.inLine(partner.configuration.name, digests);
  }

  /** Queues provision of all that is to be at the partner, and withdrawal of all that was and is not to be any more. */
  async #planDeliveries(partner: PartnerSettings): Promise<void> {
    const { configuration } = partner;
    const pulls = configuration.provide.to === 'none';
    const { store } = this.#context;
    const provided = new Set<string>();
    for (const delivery of await store.deliveries({ partner: configuration.name })) {
      if (delivery.action === 'provide') provided.add(delivery.groupId);
    }
    // Nothing is provided, nor is there anything of earlier times to withdraw.
    if (pulls && provided.size === 0) return;
    let writes: DeliveryWrite[] = [];
    const flush = async (): Promise<void> => {
      if (writes.length === 0) return;
      await store.commit({ deliveries: writes });
      writes = [];
      this.#wake(configuration.name);
    };
    const queue = async (groupId: string, action: 'provide' | 'withdraw', braked?: string): Promise<void> => {
      writes.push({ write: 'queue', delivery: { partner: configuration.name, groupId, action, braked } });
      if (writes.length >= batchSize) await flush();
    };
    for await (const groupId of this.#primary.homeGroups()) {
      if (this.#stopped) return;
      if (await this.#primary.isToBeProvided(configuration, groupId)) {
        provided.delete(groupId);
        if (!pulls) await queue(groupId, 'provide');
      }
      // Many groups are read and indexed here: faces get their turn in between.
      await setImmediate();
    }
    const braked = await this.#primary.brakeReason(configuration, provided.size);
    for (const groupId of provided) await queue(groupId, 'withdraw', braked);
    await flush();
  }

  async #deriveAgain(partner: PartnerSettings): Promise<void> {
    const { clock, derivations, store } = this.#context;
    const { agreement, name } = partner.configuration;
    const sources = await store.sourceStates(name);
    const { name: policy, version: policyVersion } = partner.inbound;
    derivations.begin(name, { policy, policyVersion, started: isoTime(clock.now()), total: sources.length });
    for (const { groupId } of sources) {
      if (this.#stopped) return;
      if (isToBeUndone(agreement, clock.now())) {
        await this.#context.foreignWrites.run(groupId, () =>
          this.#context.documents.deleteForeign(groupId, 'system', {}),
        );
        derivations.count(name, 'changed');
        continue;
      }
      derivations.count(name, await this.#derive(partner, groupId));
      await setImmediate();
    }
    derivations.end(name, isoTime(clock.now()));
  }

  async #derive(partner: PartnerSettings, groupId: string): Promise<DerivationOutcome> {
    const { clock, store } = this.#context;
    const { agreement, name } = partner.configuration;
    // An agreement that ended leaves what it brought as it is.
    if (judgeAgreement(agreement, listsOf.inbound, groupId, clock.now()).verdict !== 'allowed') return 'unchanged';
    try {
      const outcome = await deriveAgain(this.#context, partner, groupId);
      return outcome?.changed === true ? 'changed' : 'unchanged';
    } catch (error) {
      const cause = causeOf(error);
      const { name: policy, version: policyVersion, digest } = partner.inbound;
      const at = isoTime(clock.now());
      const refused: RefusedDerivation = { policy, policyVersion, policyDigest: digest, ...cause, at };
      // What is served is older than the policy: whoever looks at the group is told.
      await store.commit({
        records: [{ kind: refusedKind, name: groupId, value: JSON.stringify(refused) }],
        journal: [entry(clock, 'system', 'derivation-refused', groupId, { partner: name, ...cause })],
      });
      return 'refused';
    }
  }
}

function outboundFingerprint(
  { configuration, outbound }: PartnerSettings,
  served: readonly unknown[],
  now: number,
): string {
  const { agreement, domains, provide, servedUsers } = configuration;
  const { weProvide, theyRequest, thirdSystemMembers } = agreement;
  const policy = [outbound.name, outbound.version, outbound.digest];
  const lists = [weProvide, theyRequest, thirdSystemMembers, isToBeUndone(agreement, now)];
  return fingerprint([...policy, ...lists, domains, servedUsers, provide.to, served]);
}

function inboundFingerprint(
  { configuration, inbound }: PartnerSettings,
  served: readonly unknown[],
  now: number,
): string {
  const { agreement, domains, servedUsers } = configuration;
  const { theyProvide, weRequest, thirdSystemMembers, accept } = agreement;
  const policy = [inbound.name, inbound.version, inbound.digest];
  const lists = [theyProvide, weRequest, thirdSystemMembers, accept];
  const force = [inactivity(agreement, now), isToBeUndone(agreement, now)];
  return fingerprint([...policy, ...lists, ...force, domains, servedUsers, served]);
}

function fingerprint(parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url');
}
