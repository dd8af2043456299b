// The rename rule: gives selected elements and attributes another name. Their content, values and every other byte stay.
import { Refusal } from '../refusals.ts';
import { namespaces } from '../xml/names.ts';
import type { ElementId, OffsetIndex } from '../xml/offset-index.ts';
import { type CompiledXPath, xpathPrefixes } from '../xml/xpath.ts';
import type { ElementPaths, PolicyEdit } from './edits.ts';
import { endToEndAround, endToEndName, endToEndWithin, isGroupIdAttribute } from './end-to-end.ts';
import { refuseEndToEnd, selected } from './selection.ts';

/** A name as a policy file writes it: prefix of selections, or '' for an attribute in no namespace. */
export interface TargetName {
  readonly prefix: string;
  readonly namespace: string;
  readonly localName: string;
}

/** Reads a name. Throws Error when its prefix is not bound. */
export function targetName(written: string): TargetName {
  const colon = written.indexOf(':');
  const prefix = written.slice(0, Math.max(colon, 0));
  const namespace = prefix === '' ? '' : xpathPrefixes[prefix];
  if (namespace === undefined) throw new Error(`the prefix ${prefix} is not bound`);
  return { prefix, namespace, localName: written.slice(colon + 1) };
}

/** The end-to-end part that elements of this name would be; undefined when they would be none. */
export function endToEndTarget({ namespace, localName }: TargetName): string | undefined {
  // Another list-service brings another group ID.
  if (namespace === namespaces.listService && localName === 'list-service') return 'list-service/@uri';
  return endToEndName(namespace, localName);
}

/** Plans the edits of a rename rule. Throws Refusal `constraint-failure` for what cannot have the name. */
export function planRename(
  index: OffsetIndex,
  paths: ElementPaths,
  selection: CompiledXPath,
  target: TargetName,
  endToEnd: boolean,
): readonly PolicyEdit[] {
  return selected(selection, index).flatMap((node) => {
    if (node.kind === 'text') throw cannot('text; select its element');
    if (node.kind === 'attribute') {
      if (!endToEnd) {
        refuseEndToEnd(
          isGroupIdAttribute(index, node.element, node.namespace, node.localName)
            ? 'list-service/@uri'
            : endToEndAround(index, node.element),
        );
      }
      return renamedAttribute(index, paths, node.element, node.namespace, node.localName, target);
    }
    if (!endToEnd) {
      refuseEndToEnd(
        endToEndAround(index, node.element) ?? endToEndWithin(index, node.element) ?? endToEndTarget(target),
      );
    }
    return renamedElement(index, paths, node.element, target);
  });
}

function renamedElement(
  index: OffsetIndex,
  paths: ElementPaths,
  element: ElementId,
  target: TargetName,
): readonly PolicyEdit[] {
  if (target.namespace === '') throw cannot(`${paths.of(element)}: elements need a prefix in "to"`);
  if (index.is(element, target.namespace, target.localName)) return [];
  const { prefix, declaration } = written(index, element, target, true);
  const name = `${prefix}${target.localName}`;
  const start = index.outerStart(element) + 1;
  const end = index.tagNameEnd(element);
  const edits: PolicyEdit[] = [
    {
      start,
      end,
      replacement: `${name}${declaration}`,
      path: paths.of(element),
      before: index.source(start - 1, index.openEnd(element)),
      after: `<${name}${declaration}${index.source(end, index.openEnd(element))}`,
    },
  ];
  if (!index.isEmptyTag(element)) {
    const close = index.closeStart(element) + 2;
    edits.push({
      start: close,
      end: close + (end - start),
      replacement: name,
      path: paths.of(element),
      unlisted: true,
    });
  }
  return edits;
}

function renamedAttribute(
  index: OffsetIndex,
  paths: ElementPaths,
  element: ElementId,
  namespace: string,
  localName: string,
  target: TargetName,
): readonly PolicyEdit[] {
  const attribute = index.attributeView(element, localName, namespace);
  if (attribute === undefined || (target.localName === localName && target.namespace === namespace)) return [];
  if (index.attributeView(element, target.localName, target.namespace) !== undefined) {
    throw cannot(`${paths.of(element)}/@${localName}: there is an attribute ${target.localName} already`);
  }
  const { prefix, declaration } =
    target.namespace === '' ? { prefix: '', declaration: '' } : written(index, element, target, false);
  const name = `${prefix}${target.localName}`;
  const own = attribute.prefix === '' ? attribute.localName : `${attribute.prefix}:${attribute.localName}`;
  const end = attribute.start + Buffer.byteLength(own);
  return [
    {
      start: attribute.start,
      end,
      replacement: `${declaration.trimStart()}${declaration === '' ? '' : ' '}${name}`,
      path: `${paths.of(element)}/@${localName}`,
      before: index.source(attribute.start, attribute.end),
      after: `${name}${index.source(end, attribute.end)}`,
    },
  ];
}

/** The prefix to write a name with, and the declaration that it needs there. Attributes cannot use the default namespace. */
function written(
  index: OffsetIndex,
  element: ElementId,
  target: TargetName,
  mayBeDefault: boolean,
): { readonly prefix: string; readonly declaration: string } {
  for (const [prefix, uri] of index.namespacesInScope(element)) {
    if (uri === target.namespace && (mayBeDefault || prefix !== '')) {
      return { prefix: prefix === '' ? '' : `${prefix}:`, declaration: '' };
    }
  }
  let prefix = target.prefix;
  for (let number = 2; index.namespaceOf(element, prefix) !== undefined; number++) prefix = `${target.prefix}${number}`;
  return { prefix: `${prefix}:`, declaration: ` xmlns:${prefix}="${target.namespace}"` };
}

function cannot(what: string): Refusal {
  return new Refusal('constraint-failure', { phrase: `rename cannot act on ${what}` });
}
