// Random documents, selectors and edits: the splice engine against an independent model. The seed is fixed; `npm run fuzz` takes
// other seeds and many more runs.
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Refusal } from '../refusals.ts';
import {
  deleteInModel,
  type ModelOutcome,
  type ModelStep,
  putInModel,
  readModel,
  selectInModel,
} from './edit-model.testkit.ts';
import { defaultXmlLimits } from './limits.ts';
import { deleteNode, type EditedDocument, fetchNode, locatePut, putNode } from './node-edit.ts';
import { bindSelector, type NodeSelector, parseNodeSelector } from './node-selector.ts';
import type { OffsetIndex } from './offset-index.ts';
import { readWithIndex } from './tricky.testkit.ts';
import { readXml } from './xml-document.ts';

const runs = Number(process.env.FUZZ_RUNS ?? 400);
const seed = process.env.FUZZ_SEED === undefined ? 20_260_101 : Number(process.env.FUZZ_SEED);
const parameters = { numRuns: runs, seed, endOnFailure: false };

/** Processor time of this thread, milliseconds: what others do on the machine does not count. */
function used(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

const defaultNamespace = 'urn:d';
const bindings = [{ prefix: 's', namespace: 'urn:p' }];

const value = fc.constantFrom('1', '2', 'a b', '&amp;', '&#x41;', 'ü', '𝄞', '');
const quoted = fc.tuple(value, fc.boolean()).map(([text, single]) => (single ? `'${text}'` : `"${text}"`));
const space = fc.constantFrom(' ', '  ', '\n', '\t', '\r\n');
const filling = fc.constantFrom(
  '',
  '',
  ' ',
  '\r\n  ',
  'text',
  '&lt;',
  '<!-- <b/> -->',
  '<?pi <a> ?>',
  '<![CDATA[<a></a>]]>',
  'é𝄞',
);
const declarations = fc.constantFrom(
  '',
  '',
  '',
  ' xmlns:p="urn:p"',
  ' xmlns="urn:p"',
  ' xmlns="urn:d" xmlns:q="urn:q"',
  ' xmlns=""',
);
const name = fc.constantFrom('a', 'b', 'c', 'p:a', 'p:b');
const attributes = fc
  .uniqueArray(fc.tuple(space, fc.constantFrom('k', 'n', 'p:k', 'xml:lang'), fc.constantFrom('=', ' = '), quoted), {
    selector: ([, written]) => written,
    maxLength: 2,
  })
  .map((all) => all.map((parts) => parts.join('')).join(''));

const { element } = fc.letrec<{ element: string; children: string }>((tie) => ({
  element: fc
    .tuple(name, declarations, attributes, fc.constantFrom('', ' ', '\n'), tie('children'), fc.boolean())
    .map(([tag, declared, given, ending, inside, short]) =>
      inside === '' && short
        ? `<${tag}${declared}${given}${ending}/>`
        : `<${tag}${declared}${given}${ending}>${inside}</${tag}${ending}>`,
    ),
  children: fc
    .array(fc.tuple(filling, fc.option(tie('element'), { nil: '', depthIdentifier: 'depth', maxDepth: 3 })), {
      maxLength: 4,
    })
    .map((pieces) => pieces.map((pair) => pair.join('')).join('')),
}));

const document = fc
  .tuple(
    fc.constantFrom('', '\ufeff', '<?xml version="1.0"?>\r\n', '<!-- <r> -->'),
    fc.array(fc.tuple(filling, element), { maxLength: 5 }),
    filling,
  )
  .map(
    ([head, pieces, tail]) =>
      `${head}<a xmlns="urn:d" xmlns:p='urn:p'>${pieces.map((pair) => pair.join('')).join('')}${tail}</a>\n`,
  );

interface WrittenStep {
  readonly text: string;
  readonly model: ModelStep;
}

const namedStep = fc.constantFrom<readonly [string, ModelStep['name']]>(
  ['a', { namespace: defaultNamespace, localName: 'a' }],
  ['b', { namespace: defaultNamespace, localName: 'b' }],
  ['c', { namespace: defaultNamespace, localName: 'c' }],
  ['s:a', { namespace: 'urn:p', localName: 'a' }],
  ['s:b', { namespace: 'urn:p', localName: 'b' }],
  ['*', '*'],
);
const predicate = fc.constantFrom<readonly [string, ModelStep['attribute']]>(
  ['', undefined],
  ['', undefined],
  ['[@k="1"]', { name: 'k', value: '1' }],
  ["[@n='2']", { name: 'n', value: '2' }],
  ['[@k="&amp;"]', { name: 'k', value: '&' }],
  ['[@s:k="A"]', { name: '{urn:p}k', value: 'A' }],
);
const step: fc.Arbitrary<WrittenStep> = fc
  .tuple(namedStep, fc.option(fc.nat({ max: 4 }), { nil: undefined }), predicate)
  .map(([[written, named], position, [tested, attribute]]) => ({
    text: `${written}${position === undefined ? '' : `[${position}]`}${tested}`,
    model: { name: named, position, attribute },
  }));
const steps = fc
  .array(step, { maxLength: 3 })
  .map((all): readonly WrittenStep[] => [
    { text: 'a', model: { name: { namespace: defaultNamespace, localName: 'a' } } },
    ...all,
  ]);

/** Steps to an element that the document has, or from it to one that it might get; numbers choose the way and the spelling. */
function walk(text: string, choices: readonly number[]): readonly WrittenStep[] {
  let at = readModel(text);
  const way: WrittenStep[] = [{ text: 'a', model: { name: { namespace: defaultNamespace, localName: 'a' } } }];
  for (const choice of choices) {
    const child = at.children[choice % Math.max(at.children.length, 1)];
    if (child === undefined) break;
    const { namespace, localName } = child;
    const spelling = child.namespace === '' ? 1 : Math.floor(choice / 16) % 4;
    const alike = at.children.filter((one) => one.namespace === namespace && one.localName === localName);
    const prefix = namespace === 'urn:p' ? 's:' : '';
    if (spelling === 0) way.push({ text: `${prefix}${localName}`, model: { name: { namespace, localName } } });
    else if (spelling === 1) {
      const position = at.children.indexOf(child) + 1;
      way.push({ text: `*[${position}]`, model: { name: '*', position } });
    } else {
      // spelling 3 is one further than what is there
      const position = spelling === 2 ? alike.indexOf(child) + 1 : alike.length + 1;
      way.push({ text: `${prefix}${localName}[${position}]`, model: { name: { namespace, localName }, position } });
    }
    at = child;
  }
  return way;
}

const choices = fc.array(fc.nat({ max: 63 }), { minLength: 1, maxLength: 3 });
/** Any steps, or steps that lead somewhere. */
const way = fc.oneof(
  { weight: 1, arbitrary: steps.map((written) => () => written) },
  { weight: 3, arbitrary: choices.map((numbers) => (text: string) => walk(text, numbers)) },
);
/** Any element, or one with the name and attribute that the last step wants. */
const fitting = fc.tuple(fc.boolean(), element).map(([fits, any]) => (written: readonly WrittenStep[]): string => {
  const last = written.at(-1)?.model;
  if (!fits || last === undefined || last.name === '*') return any;
  const { namespace, localName } = last.name;
  const tested =
    last.attribute?.name.startsWith('{') === false
      ? ` ${last.attribute.name}="${last.attribute.value.replace('&', '&amp;')}"`
      : '';
  return `<${localName} xmlns="${namespace}"${tested}><!-- new --></${localName}>`;
});

function selectorOf(written: readonly WrittenStep[], terminal?: string): NodeSelector {
  const segments = written.map(({ text }) => text);
  return bindSelector(parseNodeSelector(terminal === undefined ? segments : [...segments, terminal]), {
    defaultNamespace,
    bindings,
  });
}

const models = (written: readonly WrittenStep[]): readonly ModelStep[] => written.map(({ model }) => model);
const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

function outcomeOf(edit: () => EditedDocument): ModelOutcome & { readonly edited?: EditedDocument } {
  try {
    const edited = edit();
    return { text: textOf(edited.bytes), created: edited.created, edited };
  } catch (error) {
    if (error instanceof Refusal) return { refused: error.code };
    throw error;
  }
}

/** What the index after an edit says is what reading the new bytes says. */
function expectIndexed({ bytes, index }: EditedDocument): void {
  const anew = readXml(bytes, defaultXmlLimits);
  const offsets = (one: OffsetIndex) =>
    Array.from({ length: one.count }, (_, at) => [
      one.outerStart(at),
      one.openEnd(at),
      one.closeStart(at),
      one.outerEnd(at),
      one.parent(at),
      one.firstChild(at),
      one.nextSibling(at),
      [...one.namespacesInScope(at)].sort().join(),
    ]);
  expect(offsets(index)).toEqual(offsets(anew));
  expect(readWithIndex(index)).toEqual(readWithIndex(anew));
}

describe('edits of random documents', () => {
  test('RFC 4825 8.2: PUT of an element is what the model makes of it, octet for octet', () => {
    let accepted = 0;
    fc.assert(
      fc.property(document, way, fitting, (text, find, make) => {
        const written = find(text);
        const body = make(written);
        const bytes = Buffer.from(text);
        const index = readXml(bytes, defaultXmlLimits);
        const selector = selectorOf(written);
        const real = outcomeOf(() =>
          putNode(index, selector, locatePut(index, selector), Buffer.from(body), { limits: defaultXmlLimits }),
        );
        const { edited, ...outcome } = real;
        if ('refused' in outcome && outcome.refused === 'not-xml-frag') return;
        expect(outcome).toEqual(putInModel(text, models(written), body));
        if (edited === undefined) return;
        accepted++;
        expectIndexed(edited);
        expect(textOf(fetchNode(edited.index, selector)?.body ?? Buffer.alloc(0))).toBe(body);
      }),
      parameters,
    );
    expect(accepted).toBeGreaterThan(runs / 5);
  });

  test('RFC 4825 8.4: DELETE of an element is what the model makes of it, octet for octet', () => {
    let accepted = 0;
    fc.assert(
      fc.property(document, way, (text, find) => {
        const written = find(text);
        const index = readXml(Buffer.from(text), defaultXmlLimits);
        const { edited, ...outcome } = outcomeOf(() => deleteNode(index, selectorOf(written), defaultXmlLimits));
        expect(outcome).toEqual(deleteInModel(text, models(written)));
        if (edited === undefined) return;
        accepted++;
        expectIndexed(edited);
      }),
      parameters,
    );
    expect(accepted).toBeGreaterThan(runs / 5);
  });

  test('RFC 4825 8.3: GET of an element is the text that the model cuts out', () => {
    fc.assert(
      fc.property(document, way, (text, find) => {
        const written = find(text);
        const found = selectInModel(readModel(text), models(written));
        const node = fetchNode(readXml(Buffer.from(text), defaultXmlLimits), selectorOf(written));
        expect(node === undefined ? undefined : textOf(node.body)).toBe(found && text.slice(found.start, found.end));
      }),
      parameters,
    );
  });

  test('RFC 4825 7.7 and 7.8: attributes put and deleted: the tree differs in the one value, nothing outside the start tag in an octet', () => {
    fc.assert(
      fc.property(
        document,
        way,
        fc.constantFrom('k', 'n', 's:k', 'z'),
        fc.option(quoted, { nil: undefined }),
        (text, find, attribute, body) => {
          const written = find(text);
          const index = readXml(Buffer.from(text), defaultXmlLimits);
          const selector = selectorOf(written, `@${attribute}`);
          const edit = (): EditedDocument =>
            body === undefined
              ? deleteNode(index, selector, defaultXmlLimits)
              : putNode(index, selector, locatePut(index, selector), Buffer.from(body), { limits: defaultXmlLimits });
          const { edited, ...outcome } = outcomeOf(edit);
          const holder = selectInModel(readModel(text), models(written));
          const key = attribute === 's:k' ? '{urn:p}k' : attribute;
          if (holder === undefined || (body === undefined && !holder.attributes.has(key))) {
            expect(outcome).toEqual({ refused: body === undefined ? 'not-found' : 'no-parent' });
            return;
          }
          if (edited === undefined) {
            expect(outcome).toEqual({ refused: 'cannot-insert' });
            return;
          }
          expectIndexed(edited);
          const after = textOf(edited.bytes);
          expect(after.slice(0, holder.start)).toBe(text.slice(0, holder.start));
          expect(after.endsWith(text.slice(holder.openEnd))).toBe(true);
          const now = readModel(after);
          let same: typeof now | undefined;
          for (const all = [now]; all.length > 0; ) {
            const one = all.pop();
            if (one?.start === holder.start) same = one;
            all.push(...(one?.children ?? []));
          }
          const expected = new Map(holder.attributes);
          if (body === undefined) expected.delete(key);
          else expected.set(key, readModel(`<x v=${body}/>`).attributes.get('v') ?? '');
          expect(new Map([...(same?.attributes ?? [])].sort())).toEqual(new Map([...expected].sort()));
        },
      ),
      parameters,
    );
  });

  test('a chain of edits leaves an index as good as new', () => {
    fc.assert(
      fc.property(
        document,
        fc.array(fc.tuple(way, fc.option(fitting, { nil: undefined })), { maxLength: 12 }),
        (text, edits) => {
          let current: Pick<EditedDocument, 'bytes' | 'index'> = {
            bytes: Buffer.from(text),
            index: readXml(Buffer.from(text), defaultXmlLimits),
          };
          for (const [find, make] of edits) {
            const { index } = current;
            const written = find(textOf(current.bytes));
            const body = make?.(written);
            const selector = selectorOf(written);
            const { edited } = outcomeOf(() =>
              body === undefined
                ? deleteNode(index, selector, defaultXmlLimits)
                : putNode(index, selector, locatePut(index, selector), Buffer.from(body), { limits: defaultXmlLimits }),
            );
            current = edited ?? current;
          }
          expectIndexed({ ...current, created: false, changed: true, edit: { start: 0, end: 0, length: 0 } });
        },
      ),
      { ...parameters, numRuns: Math.ceil(runs / 4) },
    );
  });
});

describe('random selectors', () => {
  const piece = fc.constantFrom(
    'a',
    '*',
    '[',
    ']',
    '[1]',
    '@',
    '=',
    '"',
    "'",
    '"x"',
    '::',
    '/',
    '&',
    '&amp;',
    '%',
    '(',
    ')',
    ' ',
    ':',
    '-',
    '9',
    'ü',
    '\u{1F600}',
    '\ud800',
  );

  test('are parsed or refused by name, in bounded time, and never misread', () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
        const segments = pieces.join('').split('/');
        const started = used();
        try {
          const { steps: parsed, terminal } = parseNodeSelector(segments);
          expect(parsed.length + (terminal === undefined ? 0 : 1)).toBe(segments.length);
        } catch (error) {
          expect(error).toBeInstanceOf(Refusal);
          expect(error).toMatchObject({ code: 'selector-not-understood' });
        }
        expect(used() - started).toBeLessThan(250);
      }),
      parameters,
    );
  });

  test.each([
    ['64 KB of one predicate', [`a[@b="${'x'.repeat(65_536)}`]],
    ['64 KB of brackets', ['['.repeat(65_536)]],
    ['64 KB of references', [`a[@b="${'&amp;'.repeat(13_000)}"]`]],
    ['64 KB of digits', [`a[${'1'.repeat(65_536)}]`]],
    ['quotes and brackets mixed', [`a${`["']`.repeat(16_384)}`]],
    ['10,000 steps', Array.from({ length: 10_000 }, () => '*[1]')],
  ])('%s', (_what, segments) => {
    const index = readXml(Buffer.from(`<a>${'<b/>'.repeat(20_000)}</a>`), defaultXmlLimits);
    const started = used();
    try {
      expect(fetchNode(index, bindSelector(parseNodeSelector(segments), { bindings: [] }))).toBeUndefined();
    } catch (error) {
      expect(error).toMatchObject({ code: 'selector-not-understood' });
    }
    expect(used() - started).toBeLessThan(250);
  });
});
