// Versions of the partners' policies: which one is in force for each partner and direction, which were before, and how that changes.
// A file that has changed on disk since it was last seen comes into force; else what an operator activated or rolled back to stays.
import type { PartnerConfiguration } from '../config/schema.ts';
import type { Policy, PolicyContext, PolicySource } from '../policy/policy.ts';
import { passThroughPolicy } from '../policy/policy-file.ts';
import { Refusal } from '../refusals.ts';
import type { RecordWrite, Store } from '../store/store.ts';
import type { Clock } from './clock.ts';
import { isoTime } from './clock.ts';
import type { DerivationProgress, Derivations } from './derivations.ts';
import { entry } from './journal.ts';
import { textKind, unusedTexts } from './kept-policies.ts';
import { type InterconnectionSettings, type PartnerSettings, unknownPartner } from './partners.ts';
import type { PreviewedGroup } from './policy-preview.ts';
import { PolicySlots, type PolicyVersion, type Slot } from './policy-slots.ts';

export type { PolicyVersion } from './policy-slots.ts';

type Direction = PolicyContext['direction'];

/** The policy of a partner and direction. */
export interface PolicyInForce {
  readonly partner: string;
  readonly direction: Direction;
  readonly active: PolicyVersion;
  /** Newest first; a rollback goes to the first of them. */
  readonly earlier: readonly PolicyVersion[];
  /** The file on disk says something else: an operator activated or rolled back since it changed last. */
  readonly differsFromFile: boolean;
  /** All groups are as this version wants them: derived, or queued to be provided. */
  readonly inLine: boolean;
  /** Inbound: the derivation by changed settings that runs or ran last since the start. */
  readonly derivation?: DerivationProgress | undefined;
}

/** Which policies are meant: those of a partner, in one direction or both, or those with the name of a given policy. */
export interface PolicyScope {
  readonly partner?: string | undefined;
  readonly direction?: Direction | undefined;
}

/** What carries out what was decided here. */
export interface PolicyUser {
  readonly settings: () => InterconnectionSettings;
  reconfigure(settings: InterconnectionSettings): void;
  preview(partner: PartnerSettings, direction: Direction, policy: Policy): AsyncGenerator<PreviewedGroup>;
  readonly derivations: Pick<Derivations, 'of' | 'inLineWith'>;
}

export interface PolicyVersionsOptions {
  readonly store: Pick<Store, 'record' | 'records' | 'commit'>;
  readonly clock: Clock;
  /** Compiles texts that were kept. Rejects with an Error that says what is wrong. */
  readonly compile: (source: PolicySource) => Promise<Policy>;
  /** Digest of a partner's file as it is on disk now; empty where none is configured, undefined when it cannot be read. */
  readonly onDisk: (partner: PartnerConfiguration, direction: Direction) => Promise<string | undefined>;
  /** Versions that are kept for each partner and direction, the one in force among them; 20 when absent. */
  readonly versionsKept?: number | undefined;
}

/** Versions that are kept for each partner and direction where nobody says. */
const usualVersions = 20;
const directions: readonly Direction[] = ['inbound', 'outbound'];

interface Chosen {
  readonly partner: PartnerSettings;
  readonly direction: Direction;
}

export class PolicyVersions {
  readonly #options: PolicyVersionsOptions;
  readonly #slots: PolicySlots;
  #user: PolicyUser | undefined;
  /** Changes follow each other: none is made of a state that another one is about to leave. */
  #turn: Promise<unknown> = Promise.resolve();
  /** True when there may be texts that nothing refers to any more. */
  #mayPrune = true;

  constructor(options: PolicyVersionsOptions) {
    this.#options = options;
    this.#slots = new PolicySlots(options.store, options.versionsKept ?? usualVersions);
  }

  /** Set once, before anything is planned or activated. */
  attach(user: PolicyUser): void {
    this.#user = user;
  }

  /**
   * The settings with the policies that are in force, of settings with policies as their files are now. Files that have changed come into
   * force and are kept. Rejects when a version in force cannot be compiled any more.
   */
  inForce(settings: InterconnectionSettings, actor = 'system'): Promise<InterconnectionSettings> {
    return this.#inTurn(async () => {
      const writes: RecordWrite[] = [];
      const journal: ReturnType<typeof entry>[] = [];
      const partners: PartnerSettings[] = [];
      for (const partner of settings.partners) {
        let resolved = partner;
        for (const direction of directions) {
          const file = partner[direction];
          const slot = await this.#slots.of(partner.configuration.name, direction);
          if (slot?.disk === digestOf(file)) {
            resolved = { ...resolved, [direction]: await this.#policy(partner, direction, file, slot) };
            continue;
          }
          const version = this.#version(file, actor, 'file');
          writes.push(
            ...this.#writes(
              partner.configuration.name,
              direction,
              file,
              this.#slots.pushed(slot, version, version.digest),
            ),
          );
          // Nothing is told of partners that never had a file.
          if (slot === undefined && file.digest === undefined) continue;
          journal.push(this.#entry('policy-activated', partner.configuration.name, direction, version));
        }
        partners.push(resolved);
      }
      if (writes.length > 0) await this.#options.store.commit({ records: writes, journal });
      this.#mayPrune = true;
      return { ...settings, partners };
    });
  }

  /** Every partner's policies, in the order of the configuration. */
  async list(): Promise<readonly PolicyInForce[]> {
    const user = this.#required();
    const listed: PolicyInForce[] = [];
    for (const { configuration } of user.settings().partners) {
      for (const direction of directions) {
        const slot = await this.#slots.of(configuration.name, direction);
        const [active, ...earlier] = [...(slot?.history ?? [])].reverse();
        if (active === undefined || slot === undefined) continue;
        const differsFromFile = slot.disk !== active.digest;
        const inLine = user.derivations.inLineWith(configuration.name)?.[direction] === active.digest;
        const about = { partner: configuration.name, direction, active, earlier, differsFromFile, inLine };
        const derivation = direction === 'inbound' ? user.derivations.of(configuration.name) : undefined;
        listed.push({ ...about, ...(derivation === undefined ? {} : { derivation }) });
      }
    }
    return listed;
  }

  /** What `policy` would do to all stored groups of the policies meant. Changes nothing. Throws as `chosen`. */
  async *plan(policy: Policy, scope: PolicyScope): AsyncGenerator<PreviewedGroup> {
    const user = this.#required();
    for (const { partner, direction } of this.#chosen(policy, scope)) yield* user.preview(partner, direction, policy);
  }

  /**
   * Brings a policy into force for the policies meant: durable when it resolves; groups are derived again, and provided again, in the
   * background. Throws `not-found` when none is meant.
   */
  activate(policy: Policy, scope: PolicyScope, actor: string): Promise<readonly PolicyInForce[]> {
    return this.#inTurn(async () => {
      const chosen = this.#chosen(policy, scope);
      const writes: RecordWrite[] = [];
      const journal: ReturnType<typeof entry>[] = [];
      const version = this.#version(policy, actor, 'activated');
      for (const { partner, direction } of chosen) {
        const { name } = partner.configuration;
        const slot = await this.#slots.of(name, direction);
        // A file that is activated has been seen: after a rollback the next start must not take it for a changed one.
        const isFile = (await this.#options.onDisk(partner.configuration, direction)) === version.digest;
        const disk = isFile ? version.digest : (slot?.disk ?? '');
        const isInForce = slot?.history.at(-1)?.digest === version.digest;
        if (isInForce && slot.disk === disk) continue;
        writes.push(...this.#writes(name, direction, policy, this.#slots.pushed(slot, version, disk)));
        if (isInForce) continue;
        journal.push(this.#entry('policy-activated', name, direction, version));
      }
      if (writes.length > 0) await this.#options.store.commit({ records: writes, journal });
      this.#take(chosen.map((one) => ({ ...one, policy })));
      return this.#listed(chosen);
    });
  }

  /** Brings the version before into force again. Throws `not-found` when there is none, `constraint-failure` when it cannot be used any more. */
  rollback(scope: PolicyScope & { readonly partner: string }, actor: string): Promise<readonly PolicyInForce[]> {
    return this.#inTurn(async () => {
      const candidates = this.#chosen(undefined, scope);
      const back: (Chosen & { readonly policy: Policy })[] = [];
      const writes: RecordWrite[] = [];
      const journal: ReturnType<typeof entry>[] = [];
      for (const { partner, direction } of candidates) {
        const { name } = partner.configuration;
        const slot = await this.#slots.of(name, direction);
        const target = slot?.history.at(-2);
        if (slot === undefined || target === undefined) continue;
        const version: PolicyVersion = { ...target, at: this.#now(), actor, how: 'rolled-back' };
        const history = [...slot.history.slice(0, -2), version];
        const policy = await this.#policy(partner, direction, undefined, { ...slot, history }).catch(
          (error: unknown) => {
            throw new Refusal('constraint-failure', { phrase: (error as Error).message });
          },
        );
        back.push({ partner, direction, policy });
        writes.push(this.#slots.write(name, direction, { ...slot, history }));
        journal.push(this.#entry('policy-rolled-back', name, direction, version));
      }
      if (back.length === 0) throw new Refusal('not-found', { phrase: 'There is no version before to return to' });
      await this.#options.store.commit({ records: writes, journal });
      this.#take(back);
      return this.#listed(back);
    });
  }

  /**
   * Removes the texts of versions that are too old to be kept, unless a stored group was derived by them; resolves with their number. Does
   * nothing while groups are being derived: they may still be told to be of the version before.
   */
  async prune(): Promise<number> {
    const settled = (await this.list()).every(({ inLine }) => inLine);
    if (!this.#mayPrune || !settled) return 0;
    this.#mayPrune = false;
    try {
      const unused = await unusedTexts(this.#options.store, await this.#slots.digests());
      if (unused.size === 0) return 0;
      return await this.#inTurn(async () => {
        // One that came back into force meanwhile stays.
        const inUse = await this.#slots.digests();
        const records = [...unused].filter((name) => !inUse.has(name)).map((name) => ({ kind: textKind, name }));
        await this.#options.store.commit({ records: [...(await this.#slots.shortening()), ...records] });
        return records.length;
      });
    } catch (fault) {
      this.#mayPrune = true;
      throw fault;
    }
  }

  /** Puts `erased` in the place of who brought versions into force; resolves with the number of versions. */
  eraseActors(isNamed: (actor: string) => boolean, erased: string): Promise<number> {
    return this.#inTurn(async () => {
      const { writes, versions } = await this.#slots.erasing(isNamed, erased);
      if (writes.length > 0) await this.#options.store.commit({ records: writes });
      return versions;
    });
  }

  async #listed(chosen: readonly Chosen[]): Promise<readonly PolicyInForce[]> {
    const all = await this.list();
    return all.filter((one) =>
      chosen.some(
        ({ partner, direction }) => partner.configuration.name === one.partner && direction === one.direction,
      ),
    );
  }

  /** The policies meant. Throws `partner-unknown`, and `not-found` when there are none. */
  #chosen(policy: Policy | undefined, { partner: name, direction: only }: PolicyScope): readonly Chosen[] {
    const { partners } = this.#required().settings();
    if (name !== undefined && !partners.some(({ configuration }) => configuration.name === name)) {
      throw unknownPartner(
        name,
        partners.map(({ configuration }) => configuration),
      );
    }
    const chosen = partners.flatMap((partner) =>
      directions
        .filter((direction) => only === undefined || only === direction)
        .filter((direction) => policy === undefined || only !== undefined || partner[direction].name === policy.name)
        .filter(() => name === undefined || partner.configuration.name === name)
        .map((direction) => ({ partner, direction })),
    );
    if (chosen.length > 0) return chosen;
    const phrase =
      policy === undefined
        ? 'There is no such policy'
        : `No policy in force is called ${policy.name}: name the partner and the direction`;
    throw new Refusal('not-found', { phrase });
  }

  #take(changed: readonly (Chosen & { readonly policy: Policy })[]): void {
    const user = this.#required();
    const settings = user.settings();
    this.#mayPrune = true;
    user.reconfigure({
      ...settings,
      partners: settings.partners.map((partner) => {
        let now = partner;
        for (const one of changed) {
          if (one.partner.configuration.name === partner.configuration.name)
            now = { ...now, [one.direction]: one.policy };
        }
        return now;
      }),
    });
  }

  async #policy(
    partner: PartnerSettings,
    direction: Direction,
    file: Policy | undefined,
    { history }: Slot,
  ): Promise<Policy> {
    const version = history.at(-1);
    const current = partner[direction];
    const digest = version?.digest ?? '';
    for (const known of [file, current]) if (known !== undefined && digestOf(known) === digest) return known;
    if (digest === '') return passThroughPolicy;
    const { name } = partner.configuration;
    const kept = await this.#options.store.record(textKind, digest);
    const label = `the ${direction} policy ${version?.policy} version ${version?.version} that was activated for ${name}`;
    if (kept === undefined) throw new Error(`${label} is not kept any more: change the file to bring it into force`);
    let policy: Policy;
    try {
      policy = await this.#options.compile(JSON.parse(kept) as PolicySource);
    } catch (error) {
      throw new Error(`${label} cannot be used: ${(error as Error).message}`, { cause: error });
    }
    if (digestOf(policy) === digest) return policy;
    policy.close();
    throw new Error(`${label} cannot be used: its key is not the one that it was activated with`);
  }

  #version(policy: Policy, actor: string, how: PolicyVersion['how']): PolicyVersion {
    return { digest: digestOf(policy), policy: policy.name, version: policy.version, at: this.#now(), actor, how };
  }

  #writes(partner: string, direction: Direction, policy: Policy, slot: Slot): readonly RecordWrite[] {
    const { digest, source } = policy;
    return [
      this.#slots.write(partner, direction, slot),
      ...(digest === undefined || source === undefined
        ? []
        : [{ kind: textKind, name: digest, value: JSON.stringify(source) }]),
    ];
  }

  #entry(
    action: 'policy-activated' | 'policy-rolled-back',
    partner: string,
    direction: Direction,
    { actor, policy, version, digest, how }: PolicyVersion,
  ): ReturnType<typeof entry> {
    const detail = { partner, direction, policy, policyVersion: version, digest, how };
    // Not `partner:NAME`, where the planning of agreements looks for its own entries.
    return entry(this.#options.clock, actor, action, `policy:${partner}`, detail);
  }

  #now(): string {
    return isoTime(this.#options.clock.now());
  }

  #required(): PolicyUser {
    if (this.#user === undefined) throw new Error('policies are planned and activated after the start');
    return this.#user;
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }
}

function digestOf(policy: Policy): string {
  return policy.digest ?? '';
}
