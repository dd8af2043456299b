// The points of flows A and B, and of staying current, at which one of two gateways is killed. Each is reached by what is on the wire:
// a message that the relay or the subscriber holds fixes what is in the stores. Nothing in the gateways knows of it.
import type { Passage } from './csc16-relay.ts';
import { passOn } from './csc16-relay.ts';
import type { Listener } from './listener.ts';
import type { Pair } from './pair.ts';
import type { Side } from './sip-relay.ts';

/** Where a step is to be reached. */
export interface Scene {
  readonly pair: Pair;
  readonly listener: Listener;
  /** Name of the group that the flow is about. */
  readonly name: string;
}

export interface KillStep {
  readonly step: string;
  /** Prepares the stop; the promise inside resolves when it is reached. */
  readonly prepare: (scene: Scene) => { readonly reached: Promise<unknown> };
  /** Who is killed there; a stopped process can only be killed itself. */
  readonly victims: readonly Side[];
}

const both: readonly Side[] = ['red', 'blue'];

/** Steps of one request from `caller` to `called` that carries `what`, from its cause until its answer is in the caller's hands. */
function requestSteps(caller: Side, called: Side, what: string, answer: string): readonly KillStep[] {
  const at = (stop: (passage: Passage, pair: Pair) => Promise<unknown>): KillStep['prepare'] => {
    return ({ pair, name }) => ({
      reached: new Promise((resolve, reject) => {
        pair.towards[called].traffic = async (passage) => {
          if (!decodeURIComponent(passage.request.startLine).includes(`:${name}@`)) return passOn(passage);
          await stop(passage, pair).then(resolve, reject);
        };
      }),
    });
  };
  return [
    {
      step: `${what}: due, no connection for it`,
      prepare: ({ pair }) => {
        const relay = pair.towards[called];
        const reached = new Promise<void>((resolve) => {
          relay.onHeldConnection = resolve;
        });
        relay.cutAll();
        return { reached };
      },
      victims: both,
    },
    { step: `${what}: sent, nothing of it received`, prepare: at(async () => undefined), victims: both },
    { step: `${what}: half received`, prepare: at((passage) => passage.forwardHalf()), victims: both },
    { step: `${answer}: sent, nothing of it received`, prepare: at((passage) => passage.forward()), victims: both },
    {
      step: `${answer}: half received`,
      prepare: at(async (passage) => {
        const { raw } = await passage.forward();
        passage.answer(raw.subarray(0, raw.length >> 1));
      }),
      victims: both,
    },
    {
      // Stopped before, it has the answer and has done nothing with it
      step: `${answer}: received, nothing done`,
      prepare: at(async (passage, pair) => {
        const { raw } = await passage.forward();
        process.kill(pair.system(caller).pid, 'SIGSTOP');
        passage.answer(raw);
      }),
      victims: [caller],
    },
  ];
}

/** The partner has told its MC service server, which has not answered. */
const notifyUnanswered: KillStep = {
  step: 'NOTIFY to the MC service server: sent, not answered',
  prepare: ({ listener }) => ({ reached: listener.ignore() }),
  victims: both,
};

const notifyAnswered: KillStep = {
  step: 'NOTIFY to the MC service server: answered, all done',
  prepare: ({ listener }) => ({
    reached: listener.notifications.first(listener.notifications.length, () => true, 'a NOTIFY'),
  }),
  victims: both,
};

/** Flow A: red provides, after its write has been answered. */
export const provideSteps: readonly KillStep[] = [
  ...requestSteps('red', 'blue', 'provision request', 'provision response'),
  notifyUnanswered,
  notifyAnswered,
];

/** Flow B: blue requests, because its MC service server asks. */
export const requestingSteps: readonly KillStep[] = [
  ...requestSteps('blue', 'red', 'information request', 'information response'),
  notifyUnanswered,
  notifyAnswered,
];

const sipStep = (step: string, stops: (from: Side, startLine: string, cseq: string) => boolean): KillStep => ({
  step,
  prepare: ({ pair }) => ({
    reached: new Promise<void>((resolve) => {
      pair.sip.traffic = (datagram) => {
        if (stops(datagram.from, datagram.startLine, datagram.cseq)) resolve();
        else datagram.pass();
      };
    }),
  }),
  victims: both,
});

/** Staying current: the primary tells the partner of a change over SIP, which requests what is new. */
export const stayCurrentSteps: readonly KillStep[] = [
  sipStep(
    'NOTIFY to the partner: sent, not received',
    (from, startLine) => from === 'red' && startLine.startsWith('NOTIFY '),
  ),
  sipStep(
    'NOTIFY to the partner: received, its answer is not',
    (from, startLine, cseq) => from === 'blue' && startLine.startsWith('SIP/2.0 200') && cseq.endsWith('NOTIFY'),
  ),
  ...requestSteps('blue', 'red', 'conditional request', 'answer to it'),
  notifyUnanswered,
  notifyAnswered,
];

/** The partner's subscription at the primary, made or extended because it holds a new group. */
export const subscriptionSteps: readonly KillStep[] = [
  sipStep(
    'SUBSCRIBE of the partner: sent, not received',
    (from, startLine) => from === 'blue' && startLine.startsWith('SUBSCRIBE '),
  ),
  sipStep(
    'SUBSCRIBE of the partner: received, its answer is not',
    (from, startLine, cseq) => from === 'red' && startLine.startsWith('SIP/2.0 200') && cseq.endsWith('SUBSCRIBE'),
  ),
  sipStep(
    'first NOTIFY to the partner: sent, not received',
    (from, startLine) => from === 'red' && startLine.startsWith('NOTIFY '),
  ),
];
