import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { Refusal } from '../refusals.ts';
import { withDocument } from './libxml.ts';
import { defaultXmlLimits } from './limits.ts';
import { deleteNode, fetchNode, locatePut, putNode } from './node-edit.ts';
import { bindSelector, type NodeSelector, parseNodeSelector } from './node-selector.ts';
import { readXml } from './xml-document.ts';

interface VectorCase {
  readonly id: string;
  readonly section: string;
  readonly description: string;
  readonly profile: string;
  readonly document: string | null;
  readonly request: {
    readonly method: string;
    readonly path: string;
    readonly headers: Record<string, string>;
    readonly body: string | null;
  };
  readonly expected: {
    readonly status: number;
    readonly xcapError?: { readonly element: string };
    readonly documentAfter?: string | null;
    readonly compare?: 'c14n' | 'bytes';
    readonly bodyEquals?: string;
    readonly bodyXmlEquals?: string;
  };
}

const vectors: {
  readonly meta: { readonly profiles: Record<string, { readonly defaultDocumentNamespace: string | null }> };
  readonly cases: readonly VectorCase[];
} = JSON.parse(readFileSync(new URL('../../test/vectors/xcap-4825.json', import.meta.url), 'utf8'));

/** Cases about preconditions, media types, methods, schema and constraints are told apart by other rooms. */
function concernsNodes({ document, request, expected }: VectorCase): boolean {
  const beyond = ['schema-validation-error', 'uniqueness-failure', 'constraint-failure'].includes(
    expected.xcapError?.element ?? '',
  );
  const root = request.method === 'DELETE' && /~~\/[^/]+$/.test(request.path);
  return document !== null && /\/~~\//.test(request.path) && ![412, 415].includes(expected.status) && (!beyond || root);
}
const cases = vectors.cases.filter(concernsNodes);

function selectorOf({ request, profile }: VectorCase): NodeSelector {
  const [path = '', query = ''] = request.path.split('?');
  const segments = path.split('/').map(decodeURIComponent);
  const bindings = [...decodeURIComponent(query).matchAll(/xmlns\(([^=]+)=([^)]*)\)/g)].map(
    ([, prefix = '', namespace = '']) => ({ prefix, namespace }),
  );
  return bindSelector(parseNodeSelector(segments.slice(segments.indexOf('~~') + 1)), {
    defaultNamespace: vectors.meta.profiles[profile]?.defaultDocumentNamespace ?? undefined,
    bindings,
  });
}

interface Outcome {
  readonly status: number;
  readonly element?: string | undefined;
  readonly after?: string | undefined;
  readonly body?: string | undefined;
}

function run(vector: VectorCase): Outcome {
  const source = vector.document ?? '';
  const index = readXml(Buffer.from(source), defaultXmlLimits);
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
  try {
    const selector = selectorOf(vector);
    switch (vector.request.method) {
      case 'PUT': {
        const target = locatePut(index, selector);
        const edited = putNode(index, selector, target, Buffer.from(vector.request.body ?? ''), {
          limits: defaultXmlLimits,
        });
        // The result is a document again, whatever was spliced.
        expect(readXml(edited.bytes, defaultXmlLimits).count).toBe(edited.index.count);
        expect(text(fetchNode(edited.index, selector)?.body ?? Buffer.alloc(0))).toBe(vector.request.body?.trim());
        return { status: edited.created ? 201 : 200, after: text(edited.bytes) };
      }
      case 'DELETE': {
        const edited = deleteNode(index, selector, defaultXmlLimits);
        expect(readXml(edited.bytes, defaultXmlLimits).count).toBe(edited.index.count);
        expect(fetchNode(edited.index, selector)).toBeUndefined();
        return { status: 200, after: text(edited.bytes) };
      }
      default: {
        const node = fetchNode(index, selector);
        return node === undefined
          ? { status: 404, after: source }
          : { status: 200, body: text(node.body), after: source };
      }
    }
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { status: error.row.status, element: error.row.element, after: source };
  }
}

const canonical = (document: string): string =>
  withDocument(Buffer.from(document), (parsed) => parsed.canonicalizeToString({ withComments: true }));

describe('RFC 4825, machine-readable cases', () => {
  test('most cases with a node selector are run here', () => {
    expect(cases.length).toBeGreaterThan(115);
  });

  test.each(
    cases.map((vector) => [vector.id, vector.section, vector.request.method, vector.description, vector] as const),
  )('%s, %s: %s, %s', (_id, _section, _method, _description, vector) => {
    const { expected } = vector;
    const outcome = run(vector);
    expect({ status: outcome.status, element: outcome.element }).toEqual({
      status: expected.status,
      element: expected.xcapError?.element,
    });
    if (typeof expected.documentAfter === 'string') {
      if (expected.compare === 'bytes') expect(outcome.after).toBe(expected.documentAfter);
      else expect(canonical(outcome.after ?? '')).toBe(canonical(expected.documentAfter));
    }
    if (expected.bodyEquals !== undefined) expect(outcome.body).toBe(expected.bodyEquals);
    if (expected.bodyXmlEquals !== undefined)
      expect(canonical(outcome.body ?? '')).toBe(canonical(expected.bodyXmlEquals));
  });
});
