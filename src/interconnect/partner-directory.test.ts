// A directory that takes long to make, seen from both sides of the border.
import { afterAll, afterEach, beforeEach, expect, test } from '@jest/globals';
import { closeSchemas, refusalOf } from '../documents/documents.testkit.ts';
import { openSystems, type Systems } from './interconnect.testkit.ts';
import { OutboundViews } from './outbound.ts';
import { PartnerDirectories } from './partner-directory.ts';

let systems: Systems;
beforeEach(async () => {
  systems = await openSystems();
  await systems.red.putGroup('alpha');
  await systems.settle();
});
afterEach(() => systems.close());
afterAll(closeSchemas);

test('RFC 9110 10.2.3: who cannot be answered in time is told when to come again, and it is made once for all who ask', async () => {
  const gate = Promise.withResolvers<string>();
  let made = 0;
  const { directories } = systems.red.interconnection.extend((context) => ({
    directories: new PartnerDirectories(
      context,
      {
        homeDocuments: async function* () {
          made += 1;
          yield { groupId: 'sip:alpha@red.example', tag: 'document' };
        },
      },
      { tagOf: () => gate.promise },
    ),
  }));
  const ask = () => directories.directory(systems.blue.asPartner);
  const late = [refusalOf(ask()), refusalOf(ask())];
  await systems.advance(5);
  for (const refusal of await Promise.all(late))
    expect(refusal).toMatchObject({ code: 'unavailable', detail: { retryAfter: 2 } });
  const joined = ask();
  gate.resolve('view');
  expect(await joined).toEqual([{ groupId: 'sip:alpha@red.example', tag: 'view' }]);
  expect(made).toBe(1);
});

test('tags are remembered by document and settings: nothing is derived twice', async () => {
  const { red, blue } = systems;
  let read = 0;
  const views = red.interconnection.extend(
    (context) =>
      new OutboundViews({
        ...context,
        documents: new Proxy(context.documents, {
          get: (target, property) => {
            if (property === 'findGroup') read += 1;
            const value: unknown = Reflect.get(target, property, target);
            return typeof value === 'function' ? value.bind(target) : value;
          },
        }),
      }),
  );
  const partner = red.interconnection.extend((context) => context.current().partners.named('blue'));
  if (partner === undefined) throw new Error('blue is configured');
  const { tag } = await red.interconnection.groupForPartner(blue.asPartner, 'sip:alpha@red.example');
  expect(await views.tagOf(partner, 'sip:alpha@red.example', 'one')).toBe(tag);
  const document = (await red.documents.findGroup('sip:alpha@red.example'))?.tag ?? '';
  expect(await views.tagOf(partner, 'sip:alpha@red.example', document)).toBe(tag);
  expect(read).toBe(1);
  expect(await views.tagOf(partner, 'sip:nothing@red.example', document)).toBeUndefined();
});

test('the other side comes again when it is told to', async () => {
  const { red, blue } = systems;
  let busy = 2;
  blue.link = ({ kind }) =>
    kind === 'directory' && busy-- > 0 ? { outcome: 'failed', reason: '503', retryAfter: 2 } : 'none';
  const { interconnection } = blue;
  interconnection.reconcile('red', { pattern: '*', repair: false }, 'operator');
  while (interconnection.reconciliation('red')?.finished === undefined) {
    await systems.clock.advance(500, () => new Promise((resolve) => setTimeout(resolve, 1)));
  }
  expect(interconnection.reconciliation('red')).toMatchObject({
    directory: '1 group listed by the partner',
    equal: 1,
  });
  expect(blue.sent.filter(({ kind }) => kind === 'directory')).toHaveLength(3);
  expect(red.faults).toEqual([]);
});
