// Tries everything that interconnection with a partner needs, against the live partner, and says of each what works and what to do
// about what does not. What it leaves at the partner, a canary group without members, it takes away again, whatever happens.
import type { PartnerConfiguration } from '../config/schema.ts';
import { Refusal } from '../refusals.ts';
import { judgeAgreement } from './agreement.ts';
import { canaryFor } from './canary.ts';
import type { InterconnectionContext } from './context.ts';
import { entry } from './journal.ts';
import type { Outboxes } from './outboxes.ts';
import { adviceForAnswer, adviceForProblem, adviceForSubscribe, adviceForWrite } from './partner-test-advice.ts';
import type { PartnerTest, PartnerTestStep, PartnerWatch, ProvideOutcome, RootCheck } from './ports.ts';

/** What stands in the outbox while a canary may be at the partner: after a crash an operator, or the next start, sees it withdrawn. */
export const canaryAtPartner = 'a canary of mcgw partner test is at the partner';
/** Times the deletion of the canary is tried before the outbox takes over. */
const deletions = 3;

type Step = Omit<PartnerTestStep, 'step' | 'milliseconds'>;

export class PartnerTests {
  readonly #context: InterconnectionContext;
  readonly #outboxes: Pick<Outboxes, 'wake'>;
  readonly #watch: () => PartnerWatch | undefined;
  readonly #canaryDocument: (groupId: string) => Uint8Array;
  readonly #running = new Map<string, Promise<PartnerTest>>();

  /** `canaryDocument`: a valid group document of that ID without members. */
  constructor(
    context: InterconnectionContext,
    outboxes: Pick<Outboxes, 'wake'>,
    watch: () => PartnerWatch | undefined,
    canaryDocument: (groupId: string) => Uint8Array,
  ) {
    this.#context = context;
    this.#outboxes = outboxes;
    this.#watch = watch;
    this.#canaryDocument = canaryDocument;
  }

  /** Tries one partner; a second call meanwhile shares the run. Throws `partner-unknown`. */
  test(name: string, actor: string): Promise<PartnerTest> {
    const partner = this.#context.current().partners.named(name)?.configuration;
    if (partner === undefined) return Promise.reject(new Refusal('partner-unknown'));
    const running = this.#running.get(name);
    if (running !== undefined) return running;
    const test = this.#run(partner, actor).finally(() => this.#running.delete(name));
    this.#running.set(name, test);
    return test;
  }

  /** Resolves when no test runs. */
  async idle(): Promise<void> {
    await Promise.allSettled(this.#running.values());
  }

  /** Withdraws canaries that a crash left behind. */
  async clean(): Promise<void> {
    const { current, store } = this.#context;
    for (const { configuration } of current().partners.all) {
      const left = (await store.deliveries({ partner: configuration.name, state: 'braked' })).filter(
        ({ outcome }) => outcome === canaryAtPartner,
      );
      for (const { groupId } of left) await this.#withdrawLater(configuration.name, groupId);
    }
  }

  async #run(partner: PartnerConfiguration, actor: string): Promise<PartnerTest> {
    const { clock, store } = this.#context;
    const started = clock.now();
    const steps: PartnerTestStep[] = [];
    const take = async (step: PartnerTestStep['step'], work: () => Promise<Step> | Step): Promise<boolean> => {
      const begun = clock.now();
      const result = await work();
      steps.push({ step, ...result, milliseconds: clock.now() - begun });
      return result.result === 'works';
    };
    await take('agreement', () => this.#agreement(partner));
    const checks = partner.xcapRoots.length === 0 ? [] : await this.#context.gms.check(partner.name);
    const isReached = await take('tls', () => connectionStep(partner, checks));
    const isKnown = await take('identity', () => identityStep(checks, isReached));
    await take('get', () => (isKnown ? this.#get(partner) : notReached));
    await this.#subscribe(partner, take);
    await this.#canary(partner, isKnown, take);
    const passed = steps.every(({ result }) => result !== 'fails');
    const test = { partner: partner.name, at: new Date(started).toISOString(), passed, steps };
    const detail = Object.fromEntries(steps.map(({ step, result }) => [step, result]));
    await store.commit({
      journal: [
        entry(clock, actor, 'partner-tested', `partner-test:${partner.name}`, {
          partner: partner.name,
          passed,
          ...detail,
        }),
      ],
    });
    return test;
  }

  #agreement({ agreement }: PartnerConfiguration): Step {
    const { theyProvide, weRequest, weProvide, theyRequest } = agreement;
    const lists = { theyProvide, weRequest, weProvide, theyRequest };
    const filled = Object.entries(lists).filter(([, patterns]) => patterns.length > 0);
    if (filled.length === 0)
      return {
        result: 'fails',
        detail: 'the agreement names no groups',
        advice: 'fill the lists of partners[].agreement',
      };
    const told = filled
      .map(([name, patterns]) => `${name} ${patterns.map(({ groups }) => groups).join(', ')}`)
      .join('; ');
    const pattern = filled[0]?.[1][0]?.groups ?? '';
    const verdict = judgeAgreement(
      agreement,
      ['theyProvide', 'weRequest', 'weProvide', 'theyRequest'],
      pattern,
      this.#context.clock.now(),
    );
    if (verdict.verdict === 'not-active')
      return {
        result: 'fails',
        detail: `it is ${verdict.why}`,
        advice: 'set partners[].agreement.state to active and check validFrom and validUntil',
      };
    return { result: 'works', detail: told };
  }

  async #get(partner: PartnerConfiguration): Promise<Step> {
    const known = await this.#knownGroup(partner);
    if (known === undefined) return skipped('the agreement lets us request and take no group of the partner');
    const { groupId, tag, isHeld } = known;
    const answer = await this.#context.gms.fetch(partner.name, groupId, tag);
    switch (answer.outcome) {
      case 'fetched':
        return { result: 'works', detail: `${groupId} was given, ${answer.bytes.byteLength} octets` };
      case 'unchanged':
        return { result: 'works', detail: `${groupId} is as held here` };
      case 'absent':
        if (!isHeld) return { result: 'works', detail: `answered; ${groupId} is not there, as expected` };
        return {
          result: 'fails',
          detail: `${groupId} is held here, but the partner does not give it`,
          advice:
            'ask the partner whether it still exists and whether its agreement (theyRequest, weProvide) covers it',
        };
      case 'refused':
        return {
          result: 'fails',
          detail: `${answer.status}: ${answer.reason}`,
          advice: adviceForAnswer(answer.status),
        };
      case 'failed':
        return { result: 'fails', detail: answer.reason, advice: adviceForAnswer(undefined) };
    }
  }

  /** A group of the partner to ask for: one that is held, or a canary that need not exist. */
  async #knownGroup(
    partner: PartnerConfiguration,
  ): Promise<{ readonly groupId: string; readonly tag?: string | undefined; readonly isHeld: boolean } | undefined> {
    const { clock, current, store } = this.#context;
    const { partners } = current();
    for (const { groupId, primaryTag } of await store.sources(partner.name)) {
      const verdict = judgeAgreement(partner.agreement, ['weRequest'], groupId, clock.now());
      if (verdict.verdict === 'allowed') return { groupId, tag: primaryTag, isHeld: true };
    }
    const canary = canaryFor(partner, ['weRequest'], partner.domains, (groupId) => {
      return partners.homeOf(groupId)?.configuration.name === partner.name;
    });
    return canary === undefined ? undefined : { groupId: canary, isHeld: false };
  }

  async #subscribe(
    partner: PartnerConfiguration,
    take: (step: PartnerTestStep['step'], work: () => Promise<Step> | Step) => Promise<boolean>,
  ): Promise<void> {
    const known = await this.#knownGroup(partner);
    const watch = this.#watch();
    const notNeeded =
      known === undefined
        ? 'the agreement lets us request no group of the partner'
        : watch === undefined
          ? 'this gateway has no SIP face'
          : undefined;
    if (known === undefined || watch === undefined) {
      await take('subscribe', () => skipped(notNeeded ?? ''));
      await take('notify', () => skipped(notNeeded ?? ''));
      return;
    }
    let notified = false;
    const isAccepted = await take('subscribe', async () => {
      const probe = await watch.probe(partner.name, known.groupId);
      notified = probe.notified;
      if (probe.status === 0) {
        const advice = 'name next hops in partners[].sip; without them changes are looked for by timer alone';
        return { ...skipped('the partner has no SIP address'), advice };
      }
      const by = probe.nextHop === undefined ? '' : ` by ${probe.nextHop}`;
      if (probe.status >= 200 && probe.status < 300)
        return { result: 'works', detail: `answered ${probe.status}${by}` };
      return { result: 'fails', detail: `answered ${probe.status}${by}`, advice: adviceForSubscribe(probe.status) };
    });
    await take('notify', () => {
      if (!isAccepted) return skipped('no subscription was accepted');
      if (notified) return { result: 'works', detail: 'the NOTIFY came' };
      return {
        result: 'fails',
        detail: 'no NOTIFY came within 5 seconds',
        advice:
          "check that the partner reaches the address in our Contact: a proxy of ours must route the partner's NOTIFYs here",
      };
    });
  }

  async #canary(
    partner: PartnerConfiguration,
    isKnown: boolean,
    take: (step: PartnerTestStep['step'], work: () => Promise<Step> | Step) => Promise<boolean>,
  ): Promise<void> {
    const { current, documents, store } = this.#context;
    const { partners, settings } = current();
    const { name, provide } = partner;
    const groupId = canaryFor(partner, ['weProvide'], settings.system.domains, partners.isHomed);
    const skip = async (why: string): Promise<void> => {
      await take('put', () => skipped(why));
      await take('delete', () => skipped(why));
    };
    if (groupId === undefined)
      return skip('the agreement has no room for a canary in weProvide; partners[].canaries may name one');
    if (provide.to === 'none') return skip('the partner pulls; nothing is provided to it');
    if (!isKnown) return skip('the partner cannot be reached, or does not know us');
    if ((await documents.findGroup(groupId)) !== undefined || (await store.delivery(name, groupId)) !== undefined)
      return skip(`${groupId} is a group that exists: name another one in partners[].canaries`);
    await store.commit({
      deliveries: [
        { write: 'queue', delivery: { partner: name, groupId, action: 'withdraw', braked: canaryAtPartner } },
      ],
    });
    let isGone = false;
    try {
      await take('put', async () => writeStep(await this.#put(name, groupId), `${groupId} was put`));
    } finally {
      await take('delete', async () => {
        const outcome = await this.#delete(name, groupId);
        isGone = outcome.outcome === 'accepted';
        if (isGone) return { result: 'works', detail: `${groupId} was deleted` };
        const step = writeStep(outcome, '');
        return { ...step, detail: `${step.detail ?? ''}; it stays in the outbox and is tried again` };
      });
      if (isGone) await store.commit({ deliveries: [{ write: 'drop', partner: name, groupId }] });
      else await this.#withdrawLater(name, groupId);
    }
  }

  #put(partner: string, groupId: string): Promise<ProvideOutcome> {
    return this.#context.gms.provide(partner, groupId, this.#canaryDocument(groupId), undefined);
  }

  async #delete(partner: string, groupId: string): Promise<ProvideOutcome> {
    let outcome = await this.#context.gms.withdraw(partner, groupId, undefined);
    for (let tried = 1; tried < deletions && outcome.outcome === 'failed'; tried++) {
      outcome = await this.#context.gms.withdraw(partner, groupId, undefined);
    }
    return outcome;
  }

  async #withdrawLater(partner: string, groupId: string): Promise<void> {
    await this.#context.store.commit({
      deliveries: [{ write: 'queue', delivery: { partner, groupId, action: 'withdraw' } }],
    });
    this.#outboxes.wake(partner);
  }
}

const notReached = skipped('the partner cannot be reached, or does not know us');

function skipped(detail: string): Step {
  return { result: 'skipped', detail };
}

function connectionStep({ xcapRoots }: PartnerConfiguration, checks: readonly RootCheck[]): Step {
  if (xcapRoots.length === 0)
    return {
      result: 'fails',
      detail: 'the partner has no address',
      advice: 'name its XCAP roots in partners[].xcapRoots',
    };
  const told = checks.map(({ root, tls, problem }) => {
    if (problem !== undefined) return `${root}: ${problem.code} ${problem.text}`.trimEnd();
    if (tls === undefined) return `${root}: connected without TLS`;
    const { protocol, cipher, names, validUntil } = tls;
    const until = validUntil === undefined ? '' : `, valid until ${validUntil}`;
    return `${root}: ${[protocol, cipher].filter((one) => one !== undefined).join(' ')} certificate of ${names.join(', ')}${until}`;
  });
  const failed = checks.filter(({ problem }) => problem !== undefined);
  const detail = told.join('; ');
  const advice = failed
    .map(({ problem, tls }) => adviceForProblem(problem?.code ?? '', problem?.text ?? '', tls))
    .at(0);
  // One root that works is enough to go on, but a site that is down is told.
  if (failed.length === checks.length) return { result: 'fails', detail, advice };
  return { result: 'works', detail, advice };
}

function identityStep(checks: readonly RootCheck[], isReached: boolean): Step {
  if (!isReached) return skipped('no connection to the partner');
  const answered = checks.find(({ answer }) => answer !== undefined && answer.status < 400);
  if (answered !== undefined)
    return {
      result: 'works',
      detail: `the partner knows our certificate and our identity (${answered.answer?.status})`,
    };
  const { answer } = checks.find((check) => check.answer !== undefined) ?? {};
  const detail = `answered ${answer?.status ?? 'nothing'}${answer?.reason === undefined ? '' : `: ${answer.reason}`}`;
  return { result: 'fails', detail, advice: adviceForAnswer(answer?.status) };
}

function writeStep(outcome: ProvideOutcome, done: string): Step {
  if (outcome.outcome === 'accepted') return { result: 'works', detail: done };
  const status = outcome.outcome === 'refused' ? outcome.status : undefined;
  const detail = status === undefined ? outcome.reason : `${status}: ${outcome.reason}`;
  return { result: 'fails', detail, advice: adviceForWrite(status) };
}
