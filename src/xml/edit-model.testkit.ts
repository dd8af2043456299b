// An independent model of RFC 4825 edits for the fuzz test: saxes reads the text, the tree decides, strings are cut and joined.
// It shares nothing with the code under test, and is written for clearness, not for speed.
import { SaxesParser } from 'saxes';

export interface ModelElement {
  readonly namespace: string;
  readonly localName: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: ModelElement[];
  /** Offsets in UTF-16 units: the whole element, and what is between its tags. */
  readonly start: number;
  readonly openEnd: number;
  closeStart: number;
  end: number;
  readonly empty: boolean;
  readonly parent: ModelElement | undefined;
}

export interface ModelStep {
  /** Expanded name, `*` for any. */
  readonly name: { readonly namespace: string; readonly localName: string } | '*';
  readonly position?: number | undefined;
  readonly attribute?: { readonly name: string; readonly value: string } | undefined;
}

export type ModelOutcome = { readonly text: string; readonly created: boolean } | { readonly refused: string };

/** Reads a document. Throws what saxes throws. */
export function readModel(text: string): ModelElement {
  const parser = new SaxesParser({ xmlns: true, position: true });
  let root: ModelElement | undefined;
  let current: ModelElement | undefined;
  parser.on('error', (error) => {
    throw error;
  });
  parser.on('opentag', (tag) => {
    const attributes = Object.values(tag.attributes).filter(({ uri }) => uri !== 'http://www.w3.org/2000/xmlns/');
    const end = parser.position;
    const element: ModelElement = {
      namespace: tag.uri,
      localName: tag.local,
      attributes: new Map(attributes.map(({ uri, local, value }) => [uri === '' ? local : `{${uri}}${local}`, value])),
      children: [],
      // "<" cannot stand in a start tag but at its beginning
      start: text.lastIndexOf('<', end - 1),
      openEnd: end,
      closeStart: end,
      end,
      empty: tag.isSelfClosing,
      parent: current,
    };
    current?.children.push(element);
    root ??= element;
    current = element;
  });
  parser.on('closetag', () => {
    if (current === undefined) return;
    if (!current.empty) {
      current.end = parser.position;
      current.closeStart = text.lastIndexOf('<', parser.position - 1);
    }
    current = current.parent;
  });
  parser.write(text).close();
  if (root === undefined) throw new Error('no document element');
  return root;
}

const isNamed = (element: ModelElement, name: ModelStep['name']): boolean =>
  name === '*' || (element.localName === name.localName && element.namespace === name.namespace);

/** All elements that a step keeps, RFC 4825 clause 6.3. */
function kept(children: readonly ModelElement[], step: ModelStep): readonly ModelElement[] {
  const named = children.filter((child) => isNamed(child, step.name));
  const positioned = step.position === undefined ? named : named.slice(step.position - 1, step.position);
  const atPosition = step.position === 0 ? [] : positioned;
  const { attribute } = step;
  return attribute === undefined
    ? atPosition
    : atPosition.filter((child) => child.attributes.get(attribute.name) === attribute.value);
}

/** The one element that steps lead to. */
export function selectInModel(root: ModelElement, steps: readonly ModelStep[]): ModelElement | undefined {
  let children: readonly ModelElement[] = [root];
  let found: ModelElement | undefined;
  for (const step of steps) {
    const all = kept(children, step);
    if (all.length !== 1) return undefined;
    found = all[0];
    children = found?.children ?? [];
  }
  return found;
}

const cut = (text: string, start: number, end: number, replacement: string): string =>
  text.slice(0, start) + replacement + text.slice(end);

/** RFC 4825 clauses 8.2.1 to 8.2.4 for an element. `body` is one element, well-formed where it goes, without white space around it. */
export function putInModel(text: string, steps: readonly ModelStep[], body: string): ModelOutcome {
  const root = readModel(text);
  const last = steps.at(-1);
  if (last === undefined) throw new Error('no step');
  const parent = steps.length === 1 ? undefined : selectInModel(root, steps.slice(0, -1));
  if (steps.length > 1 && parent === undefined) return { refused: 'no-parent' };
  const targets = kept(parent === undefined ? [root] : parent.children, last);
  if (targets.length > 1) return { refused: 'cannot-insert' };
  const [target] = targets;
  const place =
    target === undefined ? insertionPlace(text, parent, last, body) : { start: target.start, end: target.end };
  if (place === undefined) return { refused: 'cannot-insert' };
  const opened = 'opened' in place && parent !== undefined ? `</${tagName(text, parent)}>` : '';
  const before = opened === '' ? '' : '>';
  const after = cut(text, place.start, place.end, `${before}${body}${opened}`);
  const now = selectInModel(readModel(after), steps);
  const at = place.start + before.length;
  if (now === undefined || now.start !== at || after.slice(now.start, now.end) !== body)
    return { refused: 'cannot-insert' };
  return { text: after, created: target === undefined };
}

const tagName = (text: string, element: ModelElement): string =>
  /^<([^\s/>]+)/.exec(text.slice(element.start))?.[1] ?? '';

function insertionPlace(
  text: string,
  parent: ModelElement | undefined,
  step: ModelStep,
  body: string,
): { readonly start: number; readonly end: number; readonly opened?: true } | undefined {
  if (parent === undefined) return undefined;
  const at = (offset: number) => ({ start: offset, end: offset });
  const end = parent.empty ? { start: parent.end - 2, end: parent.end, opened: true as const } : at(parent.closeStart);
  const { position } = step;
  if (position === undefined) {
    const alike = parent.children.filter((child) => isNamed(child, bodyName(text, parent, body)));
    return alike.length === 0 ? end : at(alike.at(-1)?.end ?? 0);
  }
  const alike = parent.children.filter((child) => isNamed(child, step.name));
  if (position === 1) return alike.length === 0 ? end : at(alike[0]?.start ?? 0);
  const previous = position === 0 ? undefined : alike[position - 2];
  return previous === undefined ? undefined : at(previous.end);
}

/** The expanded name that the body has among the children of an element. */
function bodyName(text: string, parent: ModelElement, body: string): { namespace: string; localName: string } {
  const opened = parent.empty
    ? `${text.slice(parent.start, parent.end - 2)}>`
    : text.slice(parent.start, parent.openEnd);
  const ancestors: string[] = [opened];
  for (let up = parent.parent; up !== undefined; up = up.parent) ancestors.unshift(text.slice(up.start, up.openEnd));
  const closing = ancestors.map((tag) => `</${/^<([^\s/>]+)/.exec(tag)?.[1]}>`).reverse();
  let element: ModelElement | undefined = readModel(ancestors.join('') + body + closing.join(''));
  for (let depth = 0; depth < ancestors.length; depth++) element = element?.children[0];
  return { namespace: element?.namespace ?? '', localName: element?.localName ?? '' };
}

/** RFC 4825 clause 8.4 for an element. */
export function deleteInModel(text: string, steps: readonly ModelStep[]): ModelOutcome {
  const root = readModel(text);
  const target = selectInModel(root, steps);
  if (target === undefined) return { refused: 'not-found' };
  if (target === root) return { refused: 'schema-validation-error' };
  const after = cut(text, target.start, target.end, '');
  // no element at all may match afterwards: an ambiguous parent cannot come of it, so only the last step counts
  const parent = selectInModel(readModel(after), steps.slice(0, -1));
  const last = steps.at(-1);
  const left = parent === undefined || last === undefined ? [] : kept(parent.children, last);
  return left.length > 0 ? { refused: 'cannot-delete' } : { text: after, created: false };
}
