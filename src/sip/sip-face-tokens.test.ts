// Subscribers that say who they are with an access token, over the real engine: TS 24.481 clauses 6.3.13.2.1 and 6.3.13.3.2.2.
import { beforeEach, describe, expect, test } from '@jest/globals';
import { accessTokenVerifier } from '../identity/access-token.ts';
import { authenticator } from '../identity/authenticate.ts';
import { audience, issuer, keySetText, type TokenIssuer, tokenIssuer } from '../identity/credentials.testkit.ts';
import { parseKeySet } from '../identity/jwks.ts';
import { Refusal } from '../refusals.ts';
import { changesOf, type Received, resourceList, type Subscriber } from './face.testkit.ts';
import { alpha, document, faceRoom, sel } from './face-room.testkit.ts';
import type { SipFaceOptions } from './sip-face.ts';

const joe = 'sip:joe@red.example';
const clock = { now: 1_800_000_000_000 };
const at = faceRoom();
let idms: TokenIssuer;

function tokensFrom(
  keys: () => ReturnType<typeof parseKeySet>,
  trusted = '127.0.0.1',
): Pick<SipFaceOptions, 'authenticate'> {
  const source = { current: async () => keys(), refreshed: async () => keys() };
  const verifier = accessTokenVerifier({ issuer, audience, keys: source, now: () => clock.now });
  return {
    authenticate: authenticator({
      system: { servers: ['sip:mcptt@red.example'], administrators: [] },
      identity: { trustedProxies: [trusted], missingCredentials: 403 },
      schemes: { tokens: { verifier } },
      partners: [
        {
          name: 'blue',
          gms: 'sip:gms@blue.example',
          certificates: [{ san: 'gms.blue.example' }],
          sipFrom: ['127.0.0.1'],
        },
      ],
    }).sip,
  };
}

beforeEach(async () => {
  idms = tokenIssuer('k1', clock);
  const keys = parseKeySet(keySetText(idms));
  await at.restart(tokensFrom(() => keys));
});

const services = {
  mcptt: 'urn:3gpp:ns:mcpttInfo:1.0',
  mcvideo: 'urn:3gpp:ns:mcvideoInfo:1.0',
  mcdata: 'urn:3gpp:ns:mcdataInfo:1.0',
} as const;

/** A SUBSCRIBE for the group, or a bare refresh, with a token in the information document of a service. */
function subscribe(
  subscriber: Subscriber,
  token: string,
  service: keyof typeof services = 'mcptt',
  list = true,
): Promise<Received> {
  const info =
    `<${service}info xmlns="${services[service]}"><${service}-Params><${service}-access-token type="Normal">` +
    `<${service}String>${token}</${service}String></${service}-access-token></${service}-Params></${service}info>`;
  const parts = [
    `Content-Type: application/vnd.3gpp.${service}-info+xml\r\n\r\n${info}`,
    ...(list ? [`Content-Type: application/resource-lists+xml\r\n\r\n${resourceList([sel])}`] : []),
  ];
  const body = `${parts.map((part) => `--b\r\n${part}\r\n`).join('')}--b--\r\n`;
  return subscriber.subscribe(undefined, { 'Content-Type': 'multipart/mixed;boundary=b' }, body);
}

/** A subscriber for whom nobody asserts an identity. */
async function anonymous(): Promise<Subscriber> {
  const subscriber = await at.open();
  subscriber.identity = undefined;
  return subscriber;
}

describe('TS 24.481 6.3.13.3.2.2: the MC service ID in the token is the subscriber', () => {
  test.each(['mcptt', 'mcvideo', 'mcdata'] as const)('a token in %s-info', async (service) => {
    await at.put(document('A'));
    const group = await at.room.documents.findGroup(alpha);
    if (group === undefined) throw new Error('the group is not there');
    const { tag } = at.room.documents.view({ role: 'client', identities: [joe] }, group);
    const subscriber = await anonymous();
    const answer = await subscribe(subscriber, await idms.token({ [`${service}_id`]: joe }), service);
    expect(answer.status).toBe(200);
    expect(changesOf(await subscriber.notify())).toEqual([`${sel} - ${tag}`]);
    expect(at.running.face.subscriptions()).toMatchObject([{ subscriber: joe, role: 'client' }]);
  });

  test('a member of nothing is told nothing: the token, not From, says who it is', async () => {
    await at.put(document('A'));
    const subscriber = await anonymous();
    expect((await subscribe(subscriber, await idms.token({ mcptt_id: 'sip:other@red.example' }))).status).toBe(200);
    expect(changesOf(await subscriber.notify())).toEqual([]);
  });

  test('the token decides although a trusted core asserts its own identity of the subscriber', async () => {
    const subscriber = await at.open('sip:+4930123@ims.example');
    expect((await subscribe(subscriber, await idms.token({ mcptt_id: joe }))).status).toBe(200);
    await subscriber.notify();
    expect(at.running.face.subscriptions()).toMatchObject([{ subscriber: joe, role: 'client' }]);
  });

  test('a refresh may leave the token out as long as the core asserts the same, also after a restart', async () => {
    const subscriber = await at.open('sip:+4930123@ims.example');
    expect((await subscribe(subscriber, await idms.token({ mcptt_id: joe }))).status).toBe(200);
    await subscriber.notify();
    expect((await subscriber.subscribe(undefined)).status).toBe(200);
    const keys = parseKeySet(keySetText(idms));
    await at.restart(tokensFrom(() => keys));
    expect((await subscriber.subscribe(undefined)).status).toBe(200);
    subscriber.identity = 'sip:+4930999@ims.example';
    expect((await subscriber.subscribe(undefined)).status).toBe(403);
  });

  test('a refresh with a new token of the same user is accepted, one of another user is 403', async () => {
    const subscriber = await anonymous();
    expect((await subscribe(subscriber, await idms.token({ mcptt_id: joe }))).status).toBe(200);
    await subscriber.notify();
    const renewed = await idms.token({ mcptt_id: joe, jti: '2' });
    expect((await subscribe(subscriber, renewed, 'mcptt', false)).status).toBe(200);
    const other = await idms.token({ mcptt_id: 'sip:other@red.example' });
    expect((await subscribe(subscriber, other, 'mcptt', false)).status).toBe(403);
  });

  test('the same SUBSCRIBE twice while a token is verified makes one subscription', async () => {
    const subscriber = await anonymous();
    const token = await idms.token({ mcptt_id: joe });
    const answers = await Promise.all([subscribe(subscriber, token), subscribe(subscriber, token)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 482]);
    expect(at.running.face.subscriptions()).toHaveLength(1);
    await subscriber.notify();
  });
});

describe('a token that is present and wrong is refused, never ignored', () => {
  const wrong: readonly (readonly [string, () => Promise<string>])[] = [
    ['forged', () => tokenIssuer('k1', clock).token({ mcptt_id: joe })],
    ['expired', () => idms.token({ mcptt_id: joe, exp: clock.now / 1000 - 60 })],
    ['of no scope of ours', () => idms.token({ mcptt_id: joe, scope: '3gpp:mc:ptt_service' })],
    ['that names one of our servers', () => idms.token({ mcptt_id: 'sip:mcptt@red.example' })],
    ['that names a partner', () => idms.token({ mcptt_id: 'sip:gms@blue.example' })],
  ];
  test.each(wrong)('a token %s is 403, with and without an asserted identity', async (_, forge) => {
    for (const identity of [undefined, joe, 'sip:mcptt@red.example']) {
      const subscriber = await at.open();
      subscriber.identity = identity;
      expect((await subscribe(subscriber, await forge())).status).toBe(403);
    }
    expect(at.running.face.subscriptions()).toEqual([]);
  });

  test('a partner has no token', async () => {
    const subscriber = await at.open('sip:gms@blue.example');
    expect((await subscribe(subscriber, await idms.token({ mcptt_id: joe }))).status).toBe(403);
  });

  test('an identity asserted from a stranger is 403 beside a good token', async () => {
    const keys = parseKeySet(keySetText(idms));
    await at.restart(tokensFrom(() => keys, '192.0.2.1'));
    const subscriber = await at.open(joe);
    expect((await subscribe(subscriber, await idms.token({ mcptt_id: joe }))).status).toBe(403);
    subscriber.identity = undefined;
    expect((await subscribe(subscriber, await idms.token({ mcptt_id: joe }))).status).toBe(200);
    await subscriber.notify();
  });

  test('while no keys can be had it is 503 with Retry-After', async () => {
    await at.restart(
      tokensFrom(() => {
        throw new Refusal('unavailable', { retryAfter: 30 });
      }),
    );
    const answer = await subscribe(await anonymous(), await idms.token({ mcptt_id: joe }));
    expect(answer.status).toBe(503);
    expect(answer.header('Retry-After')).toBe('30');
  });
});
