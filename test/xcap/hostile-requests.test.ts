// Large and hostile requests to a real gateway over sockets: each is answered, and none of them holds the event loop for long.
// What counts is processor time of the busiest turn of the loop, since other work on the machine must not make a test fail.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  attributeType,
  elementType,
  groups,
  groupType,
  own,
  plain,
  plainType,
  sender,
  writeConfiguration,
  type XcapServer,
} from './xcap-server.ts';

/** Longest turn that a single request may cause, milliseconds. */
const bar = 20;
/** So many attempts are made where one misses it: a collection of garbage is not the request's. */
const attempts = 6;
const megabytes = 1024 * 1024;

let file: string;
let gateway: ChildProcess;
let send: XcapServer['send'];

async function start(): Promise<void> {
  gateway = fork(fileURLToPath(new URL('./watched-gateway.ts', import.meta.url)), [file], { execArgv: [] });
  const [{ root }] = await once(gateway, 'message');
  send = sender(root);
}

async function stop(): Promise<void> {
  const ended = once(gateway, 'exit');
  gateway.send('end');
  await ended;
}

beforeAll(async () => {
  file = await writeConfiguration();
  await start();
}, 60_000);
afterAll(async () => {
  await stop();
  await rm(dirname(file), { recursive: true, force: true });
});

/** Milliseconds of the busiest turn while something is asked. */
async function busiestTurn(work: () => Promise<unknown>): Promise<number> {
  gateway.send('count');
  await work();
  gateway.send('tell');
  const [{ busiest }] = await once(gateway, 'message');
  return busiest;
}

/** Asks, with the number of the attempt, and demands the bar; asks again where it was missed. */
async function withinBar(
  what: string,
  work: (attempt: number) => Promise<unknown>,
  before: () => Promise<void> = async () => undefined,
): Promise<void> {
  const all: number[] = [];
  for (let attempt = 0; attempt < attempts && !((all.at(-1) ?? bar) < bar); attempt++) {
    await before();
    all.push(await busiestTurn(() => work(attempt)));
  }
  if (process.env.MCGW_SHOW !== undefined) {
    process.stdout.write(`${what}: ${all.map((one) => one.toFixed(1)).join(' ')}\n`);
  }
  expect(Math.min(...all)).toBeLessThan(bar);
}

const times = (count: number, text: (at: number) => string): string =>
  Array.from({ length: count }, (_, at) => text(at)).join('');
const document = (content: string, attributes = ''): string => `<r${attributes}>${content}</r>`;
/** As many as fit into 4 MB with room for an edit. */
const siblings = 200_000;
const list = document(times(siblings, (at) => `<b n="${at}"/>`));

test('the busiest turn is seen: a gateway that works for 100 ms at a stretch does not pass', async () => {
  const work = (): Promise<void> => {
    gateway.send('work');
    return once(gateway, 'message').then(() => undefined);
  };
  expect(await busiestTurn(work)).toBeGreaterThan(90);
});

describe('whole documents of 4 MB', () => {
  test.each<readonly [string, number, () => string]>([
    ['200,000 siblings', 201, () => list],
    ['249,000 elements', 201, () => document(times(249_000, () => '<a/>'))],
    ['one element too many', 409, () => document(times(250_000, () => '<a/>'))],
    ['200,000 times the same declaration', 201, () => document(times(siblings, () => '<a xmlns=""/>'))],
    ['9,000 different declarations', 201, () => document(times(9_000, (at) => `<a xmlns="urn:example:${at}"/>`))],
    ['9,000 different names', 201, () => document(times(9_000, (at) => `<a${at}/>`))],
    ['200,000 different names', 409, () => document(times(siblings, (at) => `<a${at}/>`))],
    ['one attribute of 4 MB', 201, () => document('', ` a="${'x'.repeat(4 * megabytes - 100)}"`)],
    ['an attribute of references', 201, () => document('', ` a="${'&#65;'.repeat(800_000)}"`)],
    [
      '100,000 attributes',
      409,
      () =>
        document(
          '',
          times(100_000, (at) => ` a${at}=""`),
        ),
    ],
    ['nesting of 64 again and again', 201, () => document(times(3_900, () => '<a>'.repeat(63) + '</a>'.repeat(63)))],
    ['nesting of 500,000', 409, () => '<a>'.repeat(500_000) + '</a>'.repeat(500_000)],
    ['no end', 409, () => '<a>'.repeat(1_000_000)],
    ['a name of 4 MB', 409, () => `<${'a'.repeat(4 * megabytes - 100)}/>`],
    ['text of references', 201, () => document('&lt;'.repeat(megabytes - 100))],
    ['a comment', 201, () => document(`<!--${'x'.repeat(4 * megabytes - 100)}-->`)],
    ['a CDATA section that is full of markup', 409, () => document(`<![CDATA[${'<'.repeat(4 * megabytes - 100)}]]>`)],
    ['many small comments', 201, () => document('<!---->'.repeat(240_000))],
    ['a processing instruction', 201, () => document(`<?x ${'y'.repeat(4 * megabytes - 100)}?>`)],
    ['an octet that is no UTF-8 at the end', 409, () => `${document('x'.repeat(4 * megabytes - 100))}\u0080`],
    ['a billion laughs', 409, () => `<!DOCTYPE r [<!ENTITY a "${'a'.repeat(megabytes)}">]>${document('&a;')}`],
  ])(
    'PUT of %s',
    async (what, status, content) => {
      const text = content();
      // The one octet above ASCII is to stand for itself
      const octets = Buffer.from(text, 'latin1');
      await withinBar(`PUT ${what}`, async (attempt) => {
        const body =
          attempt === 0 || status !== 201 ? octets : Buffer.concat([octets, Buffer.from(' '.repeat(attempt))]);
        const answer = await send('PUT', own(plain, `${what}.xml`.replaceAll(' ', '-')), { type: plainType, body });
        expect(answer.status).toBe(attempt > 0 && status === 201 ? 200 : status);
      });
    },
    60_000,
  );
});

describe('nodes of a document of 4 MB', () => {
  const path = own(plain, 'nodes.xml');
  const node = (selector: string): string =>
    `${path}/~~/${encodeURI(selector).replaceAll('[', '%5B').replaceAll(']', '%5D')}`;
  const last = siblings - 1;

  beforeAll(async () => {
    expect(await send('PUT', path, { type: plainType, body: list })).toMatchObject({ status: 201 });
  }, 60_000);

  test.each([
    ['by position', `r/b[${siblings}]`],
    ['by position of any', `r/*[${siblings}]`],
    ['by attribute', `r/b[@n="${last}"]`],
    ['by position and attribute', `r/b[${siblings}][@n="${last}"]`],
    ['of an attribute', `r/b[@n="${last}"]/@n`],
    ['of bindings', `r/b[${siblings}]/namespace::*`],
    ['of the document element', 'r'],
  ])(
    'GET %s',
    async (what, selector) => {
      // What is asked often may be remembered, which must not take long either
      for (let time = 0; time < 5; time++) {
        await withinBar(`GET ${what}`, async () => expect((await send('GET', node(selector))).status).toBe(200));
      }
    },
    60_000,
  );

  test.each([
    ['an attribute that none has', 404, 'r/b[@x="1"]'],
    ['a position beyond', 404, 'r/b[999999999]'],
    ['all of them', 404, 'r/b'],
    ['a position of many digits', 404, `r/b[${'9'.repeat(7000)}]`],
    ['a value of 7 KB', 404, `r/b[@n="${'&amp;'.repeat(1400)}"]`],
    ['many steps', 404, `r${'/b'.repeat(3500)}`],
    ['a predicate that does not end', 404, `r/b[@n="${'a'.repeat(7000)}`],
    ['brackets', 404, `r/b${'['.repeat(2000)}`],
    ['64 KB', 431, `r/b[@n="${'a'.repeat(64 * 1024)}"]`],
    ['20 KB', 414, `r/b[@n="${'a'.repeat(20 * 1024)}"]`],
  ])(
    'a selector of %s',
    async (what, status, selector) => {
      await withinBar(`selector of ${what}`, async () => {
        const answer = await send('GET', node(selector)).catch(() => ({ status: 414 }));
        expect([status, 414]).toContain(answer.status);
      });
    },
    60_000,
  );

  test.each([
    ['in place, by position', `r/b[${last}]`, (at: number) => `<b n="x${at}"/>`],
    ['in place, by attribute', `r/b[@n="5"]`, (at: number) => `<b n="5" m="${at}"/>`],
    ['new, at the first position', `r/c[1]`, (at: number) => `<c n="${at}"/>`],
    ['new, at the end', `r/*[${siblings + 2}]`, (at: number) => `<d n="${at}"/>`],
  ])(
    'PUT of an element %s',
    async (what, selector, body) => {
      await withinBar(`element PUT ${what}`, async (attempt) => {
        const answer = await send('PUT', node(selector), { type: elementType, body: body(attempt) });
        expect([200, 201]).toContain(answer.status);
      });
    },
    60_000,
  );

  test('PUT of an attribute', async () => {
    await withinBar('attribute PUT', async (attempt) => {
      const answer = await send('PUT', node(`r/b[${last - 1}]/@m`), { type: attributeType, body: `"${attempt}"` });
      expect([200, 201]).toContain(answer.status);
    });
  }, 60_000);

  test('DELETE of an element', async () => {
    await withinBar('element DELETE', async (attempt) => {
      expect((await send('DELETE', node(`r/b[@n="${1000 + attempt}"]`))).status).toBe(200);
    });
  }, 60_000);

  test('GET of an element that is read from the store', async () => {
    await withinBar(
      'element GET from the store',
      async () => expect((await send('GET', node(`r/b[@n="${last}"]`))).status).toBe(200),
      async () => {
        await stop();
        await start();
      },
    );
  }, 60_000);
});

describe('a group of 4 MB', () => {
  const path = own(groups, 'group.xml');
  const member = (number: number): string => `sip:member-${number}@mcx.alpha.example`;
  const entry = (number: number): string =>
    `<entry uri="${member(number)}"><rl:display-name>${number}</rl:display-name><g:mcvideo-mcvideo-id uri="sip:video-${number}@mcx.alpha.example"/><g:mcdata-mcdata-id uri="sip:data-${number}@mcx.alpha.example"/></entry>`;
  const group = (rules: string): string =>
    `<group xmlns="urn:oma:xml:poc:list-service" xmlns:rl="urn:ietf:params:xml:ns:resource-lists" xmlns:cp="urn:ietf:params:xml:ns:common-policy" xmlns:oxe="urn:oma:xml:xdm:extensions" xmlns:g="urn:3gpp:ns:mcpttGroupInfo:1.0"><list-service uri="sip:big@mcx.alpha.example"><list>${times(17_000, entry)}</list>${rules}<oxe:supported-services><oxe:service enabler="urn:urn-7:3gpp-service.ims.icsi.mcptt"><oxe:group-media><g:mcptt-speech/></oxe:group-media></oxe:service></oxe:supported-services></list-service></group>`;
  const open =
    '<cp:ruleset><cp:rule id="r"><cp:conditions><is-list-member/></cp:conditions><cp:actions><g:on-network-allow-getting-member-list>true</g:on-network-allow-getting-member-list></cp:actions></cp:rule></cp:ruleset>';
  const put = async (rules: string): Promise<void> => {
    const { status } = await send('PUT', path, { type: groupType, body: group(rules) });
    expect([200, 201]).toContain(status);
  };

  test.each([
    ['that shows its members', open],
    ['that shows no members', ''],
  ])(
    'PUT, and GET by a member: one %s',
    async (what, rules) => {
      await withinBar(`PUT of a group ${what}`, () => put(rules));
      const restart = async (): Promise<void> => {
        await stop();
        await start();
      };
      for (const before of [undefined, restart]) {
        const asked = before === undefined ? 'after the PUT' : 'from the store';
        await withinBar(
          `GET of a group ${what}, ${asked}`,
          async () =>
            expect((await send('GET', path, { as: member(16_999) })).body.includes('<list>')).toBe(rules !== ''),
          before,
        );
      }
      await withinBar(`GET of a group ${what} by a stranger`, async () => {
        expect((await send('GET', path, { as: 'sip:nobody@mcx.alpha.example' })).status).toBe(403);
      });
    },
    60_000,
  );

  test('GMOP: retrieval without members', async () => {
    await put(open);
    const body =
      '<document xmlns="urn:3gpp:ns:mcpttGMOP:1.0"><request><get-excluding-memberlist/></request></document>';
    await withinBar('GMOP', async () => {
      const answer = await send('POST', `${groups}/global/byGroupID/sip:big@mcx.alpha.example`, {
        type: 'application/vnd.3gpp.GMOP+xml',
        body,
      });
      expect(answer).toMatchObject({ status: 200 });
      expect(answer.body.length).toBeLessThan(2000);
    });
  }, 60_000);

  test('PUT and DELETE of an entry', async () => {
    const at = (number: number): string => `${path}/~~/group/list-service/list/entry%5B@uri=%22${member(number)}%22%5D`;
    await withinBar('PUT of an entry', async (attempt) => {
      const body = entry(8000).replace('>8000<', `>again ${attempt}<`);
      expect((await send('PUT', at(8000), { type: elementType, body })).status).toBe(200);
    });
    await withinBar('DELETE of an entry', async (attempt) => {
      expect((await send('DELETE', at(9000 + attempt))).status).toBe(200);
    });
  }, 60_000);
});

describe('bodies of nodes of 4 MB', () => {
  const path = own(plain, 'bodies.xml');
  beforeAll(async () => {
    expect(await send('PUT', path, { type: plainType, body: document('<a/>') })).toMatchObject({ status: 201 });
  });

  test.each<readonly [string, number, () => string]>([
    ['200,000 elements', 200, () => `<a>${times(siblings, (at) => `<b n="${at}"/>`)}</a>`],
    ['200,000 elements that do not end', 409, () => `<a>${times(siblings, (at) => `<b n="${at}"/>`)}`],
    ['two elements', 409, () => `<a>${'x'.repeat(3 * megabytes)}</a><a/>`],
    ['one text', 200, () => `<a>${'x'.repeat(4 * megabytes - 100)}</a>`],
    ['one attribute', 200, () => `<a b="${'x'.repeat(4 * megabytes - 100)}"/>`],
    ['white space', 409, () => ' '.repeat(4 * megabytes - 100)],
  ])(
    'PUT of an element: %s',
    async (what, status, content) => {
      const body = content();
      await withinBar(`element of ${what}`, async () => {
        expect((await send('PUT', `${path}/~~/r/a`, { type: elementType, body })).status).toBe(status);
      });
    },
    60_000,
  );

  test.each<readonly [string, number, () => string]>([
    ['letters', 201, () => `"${'x'.repeat(4 * megabytes - 100)}"`],
    ['references', 409, () => `"${'&#65;'.repeat(800_000)}&"`],
    ['letters that are no octets', 201, () => `"${'é'.repeat(2 * megabytes - 100)}"`],
    ['no end', 409, () => `"${'x'.repeat(4 * megabytes - 100)}`],
  ])(
    'PUT and GET of an attribute: %s',
    async (what, status, content) => {
      const at = own(plain, `attribute-${what.replaceAll(' ', '-')}.xml`);
      const body = content();
      expect(await send('PUT', at, { type: plainType, body: document('<a/>') })).toMatchObject({ status: 201 });
      await withinBar(`attribute of ${what}`, async (attempt) => {
        const answer = await send('PUT', `${at}/~~/r/a/@c`, { type: attributeType, body });
        expect(answer.status).toBe(status === 201 && attempt > 0 ? 200 : status);
      });
      if (status !== 201) return;
      await withinBar(`GET of an attribute of ${what}`, async () => {
        expect((await send('GET', `${at}/~~/r/a/@c`)).body.length).toBe(Buffer.byteLength(body));
      });
    },
    60_000,
  );
});
