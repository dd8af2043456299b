// Edits that give identity positions other values, and how they are shown.
import { canonicalUri } from '../identity/uri.ts';
import { Refusal } from '../refusals.ts';
import type { AttributeView, ElementId, OffsetIndex } from '../xml/offset-index.ts';
import { attributeValueEdit } from '../xml/splice.ts';
import type { ElementPaths, PolicyEdit } from './edits.ts';

/** The edit that gives an attribute another value. */
export function attributeEdit(
  index: OffsetIndex,
  paths: ElementPaths,
  element: ElementId,
  attribute: AttributeView,
  value: string,
): PolicyEdit {
  const edit = attributeValueEdit(attribute, value);
  const before = index.source(attribute.start, attribute.end);
  const open = index.source(attribute.start, attribute.valueStart);
  const after = `${open}${edit.replacement}${attribute.quote}`;
  const name = index.source(attribute.start, attribute.valueStart).replace(/[\s=].*$/s, '');
  return { ...edit, path: `${paths.of(element)}/@${name}`, before, after };
}

/** The canonical form of an identity. Throws Refusal `constraint-failure` when it has none: then nobody knows whom it names. */
export function readableIdentity(paths: ElementPaths, element: ElementId, written: string): string {
  const identity = canonicalUri(written);
  if (identity === undefined) {
    throw new Refusal('constraint-failure', {
      phrase: `${paths.of(element)} names nobody by a URI, so it cannot be judged`,
    });
  }
  return identity;
}
