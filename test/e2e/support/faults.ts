// What a bad network and bad proxies do to messages between two gateways, chosen by a seed.
import { setTimeout as pause } from 'node:timers/promises';
import type { HttpMessage } from '../../../src/demo/http-messages.ts';
import type { Chance } from './chance.ts';
import { type Passage, passOn, type Traffic } from './csc16-relay.ts';
import type { Datagram, SipTraffic } from './sip-relay.ts';

type Fault = (passage: Passage, chance: Chance) => Promise<void>;

const answerOf = (status: string, ...headers: readonly string[]): Buffer =>
  Buffer.from([`HTTP/1.1 ${status}`, ...headers, 'Content-Length: 0', '', ''].join('\r\n'));

/** Faults of connections and of proxies, by name. */
export const csc16Faults: Readonly<Record<string, Fault>> = {
  'request lost': async () => undefined,
  'answer lost': async (passage) => void (await passage.forward()),
  'cut before': async (passage) => passage.cut(),
  'cut after': async (passage) => {
    await passage.forward();
    passage.cut();
  },
  'cut inside the request': async (passage) => {
    await passage.forwardHalf();
    passage.cut();
  },
  'cut inside the answer': async (passage) => {
    const { raw } = await passage.forward();
    passage.answer(raw.subarray(0, raw.length >> 1));
    passage.halfClose();
  },
  'half-closed': async (passage) => passage.halfClose(),
  'request delayed': async (passage, chance) => {
    await pause(chance.between(20, 400));
    await passOn(passage);
  },
  'answer delayed': async (passage, chance) => {
    const { raw } = await passage.forward();
    await pause(chance.between(20, 400));
    passage.answer(raw);
  },
  duplicated: async (passage) => {
    await passage.forward();
    await passOn(passage);
  },
  // The caller gives up and goes on; what it sent arrives after what it sends next
  'held back': async (passage, chance) => {
    passage.cut();
    await pause(chance.between(100, 1500));
    await passage.forward();
  },
  '503': async (passage) => passage.answer(answerOf('503 Service Unavailable')),
  '503 with Retry-After': async (passage) =>
    passage.answer(answerOf('503 Service Unavailable', `Date: ${new Date().toUTCString()}`, 'Retry-After: 1')),
  '500 after the work': async (passage) => {
    await passage.forward();
    passage.answer(answerOf('500 Internal Server Error'));
  },
  '502': async (passage) => passage.answer(answerOf('502 Bad Gateway')),
  garbage: async (passage, chance) => {
    passage.answer(chance.bytes(chance.between(1, 300)));
    passage.halfClose();
  },
};

/** Passes on a part of the requests and does something bad to the others. `note` hears the name of each fault. */
export function badHttp(chance: Chance, note: (fault: string, request: HttpMessage) => void): Traffic {
  const names = Object.keys(csc16Faults);
  return async (passage) => {
    const name = chance.next() < 0.4 ? undefined : names[chance.between(0, names.length - 1)];
    const fault = name === undefined ? undefined : csc16Faults[name];
    note(name ?? 'passed on', passage.request);
    await (fault ?? passOn)(passage, chance);
  };
}

/** Loses, repeats, delays and reorders datagrams, and sends garbage beside them. */
export function badSip(chance: Chance, garbage: (bytes: Buffer) => void): SipTraffic {
  let kept: Datagram | undefined;
  return (datagram) => {
    const fate = chance.next();
    if (fate < 0.2) return;
    if (fate < 0.3 && kept === undefined) {
      kept = datagram;
      return;
    }
    if (fate < 0.45) setTimeout(() => datagram.pass(), chance.between(5, 200));
    else datagram.pass();
    if (fate > 0.85) datagram.pass();
    if (fate > 0.95) garbage(chance.bytes(chance.between(1, 600)));
    kept?.pass();
    kept = undefined;
  };
}
