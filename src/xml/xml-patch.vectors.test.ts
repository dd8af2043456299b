import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { Refusal } from '../refusals.ts';
import { canonicalForm } from './canonical.testkit.ts';
import { defaultXmlLimits } from './limits.ts';
import { readXml } from './xml-document.ts';
import { applyPatch, type PatchOutcome, readPatchOperations } from './xml-patch.ts';

interface PatchCase {
  readonly id: string;
  readonly section: string;
  readonly description: string;
  readonly before: string;
  readonly patch: string;
  readonly after?: string;
  readonly error?: string;
  readonly alternativeErrors?: readonly string[];
}

const { cases }: { readonly cases: readonly PatchCase[] } = JSON.parse(
  readFileSync(new URL('../../test/vectors/patch-5261.json', import.meta.url), 'utf8'),
);

function outcomeOf({ before, patch }: PatchCase): PatchOutcome {
  const document = readXml(Buffer.from(before), defaultXmlLimits);
  try {
    const carrier = readXml(Buffer.from(patch), defaultXmlLimits);
    const read = readPatchOperations(carrier, carrier.root);
    return 'failure' in read ? read : applyPatch(document, read.operations);
  } catch (error) {
    // 5.1: a diff that is no XML has no operation that could be at fault
    if (!(error instanceof Refusal) || error.code !== 'not-well-formed') throw error;
    return { failure: { error: 'invalid-diff-format', operation: 0, phrase: error.message } };
  }
}

const results = cases.filter(({ after }) => after !== undefined);
const errors = cases.filter(({ error }) => error !== undefined);

describe('RFC 5261 patches bring the canonical form printed', () => {
  test.each(results.map((row) => [row.section, row.id, row.description, row] as const))(
    '%s (%s): %s',
    (_s, _i, _d, row) => {
      const outcome = outcomeOf(row);
      expect(outcome).toHaveProperty('patched');
      if ('patched' in outcome) {
        expect(canonicalForm(outcome.patched)).toBe(canonicalForm(Buffer.from(row.after ?? '')));
      }
    },
  );
});

describe('RFC 5261 5.1: what cannot be applied is named', () => {
  test.each(errors.map((row) => [row.section, row.id, row.description, row] as const))(
    '%s (%s): %s',
    (_s, _i, _d, row) => {
      const outcome = outcomeOf(row);
      const error = 'failure' in outcome ? outcome.failure.error : 'applied';
      expect([row.error, ...(row.alternativeErrors ?? [])]).toContain(error);
    },
  );
});

test('every case of the vectors is played', () => {
  expect(results.length + errors.length).toBe(cases.length);
  expect(cases.length).toBeGreaterThan(75);
});
