// What a subscriber is shown of an element or attribute it watches (RFC 5875 clause 4.7, RFC 5874 clause 3).
import { createHash } from 'node:crypto';
import { Refusal } from '../refusals.ts';
import { type ShownElement, shownElement } from '../xml/compose.ts';
import { bindSelector, type NodeSelector } from '../xml/node-selector.ts';
import type { OffsetIndex } from '../xml/offset-index.ts';
import { selectNode } from '../xml/select.ts';
import type { WatchedNode } from './resource-entry.ts';

/** A component that is there; an element without `shown` is too large to be shown. */
export type VisibleNode =
  | { readonly kind: 'element'; readonly digest: string; readonly shown: ShownElement | undefined }
  | { readonly kind: 'attribute'; readonly digest: string; readonly value: string };

const bound = new WeakMap<WatchedNode, NodeSelector | 'unbound'>();

/** The selector with its names bound, RFC 4825 clause 6.4; undefined when a prefix is not. An entry belongs to one usage alone. */
export function boundSelector(node: WatchedNode, defaultNamespace: string | undefined): NodeSelector | undefined {
  let selector = bound.get(node);
  if (selector === undefined) {
    selector = bind(node, defaultNamespace);
    bound.set(node, selector);
  }
  return selector === 'unbound' ? undefined : selector;
}

function bind({ selector, bindings }: WatchedNode, defaultNamespace: string | undefined): NodeSelector | 'unbound' {
  try {
    return bindSelector(selector, { defaultNamespace, bindings });
  } catch (error) {
    if (error instanceof Refusal) return 'unbound';
    throw error;
  }
}

/** The component that a selector names in a document as the subscriber sees it; undefined when there is none. */
export function visibleNode(index: OffsetIndex, selector: NodeSelector): VisibleNode | undefined {
  const node = selectNode(index, selector);
  if (node?.kind === 'attribute') {
    const { value } = node.attribute;
    return { kind: 'attribute', value, digest: digestOf(value) };
  }
  if (node?.kind !== 'element') return undefined;
  const shown = shownElement(index, node.element);
  const borrowed = [...shown.borrowed].flat().join('\n');
  return { kind: 'element', shown, digest: digestOf(`${borrowed}\n\n${shown.markup}`) };
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 22);
}
