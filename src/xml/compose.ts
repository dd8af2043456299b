// Composes the documents this gateway sends of its own: xcap-error, xcap-caps, xcap-directory, xcap-diff, resource lists.
// RFC 4825 clauses 10 to 12, RFC 5874, RFC 4826 and the OMA XDM directory.

import type { XcapErrorElement } from '../refusals.ts';
import { escapeAttributeValue } from './character-data.ts';
import { MarkupBuilder } from './markup-builder.ts';
import { namespaces } from './names.ts';
import type { ElementId, OffsetIndex } from './offset-index.ts';

/** What an xcap-error document tells beside its element, RFC 4825 11. */
export interface XcapErrorDetail {
  readonly phrase?: string | undefined;
  /** `no-parent`: URI of the closest ancestor that exists. */
  readonly ancestor?: string | undefined;
  /** `uniqueness-failure`: the offending nodes and free values. */
  readonly exists?: readonly { readonly field: string; readonly altValues: readonly string[] }[] | undefined;
}

const plainErrors = new Map<string, string>();
const plainErrorsKept = 200;

/** The body of a 409 answer. */
export function composeXcapError(element: XcapErrorElement, detail: XcapErrorDetail = {}): string {
  const plain = detail.ancestor === undefined && detail.exists === undefined;
  const key = `${element} ${detail.phrase ?? ''}`;
  const known = plain ? plainErrors.get(key) : undefined;
  if (known !== undefined) return known;
  const builder = new MarkupBuilder(namespaces.xcapError, 'xcap-error');
  const error = builder.child(builder.root, element, { phrase: detail.phrase });
  if (element === 'no-parent' && detail.ancestor !== undefined) builder.child(error, 'ancestor', {}, detail.ancestor);
  if (element === 'uniqueness-failure') {
    // RFC 4825 11.2: exists is mandatory there; an empty field names the whole document
    for (const { field, altValues } of detail.exists ?? [{ field: '', altValues: [] }]) {
      const exists = builder.child(error, 'exists', { field });
      for (const value of altValues) builder.child(exists, 'alt-value', {}, value);
    }
  }
  const body = builder.end();
  if (plain && plainErrors.size < plainErrorsKept) plainErrors.set(key, body);
  return body;
}

/** The server capabilities document, RFC 4825 12. */
export function composeXcapCaps(capabilities: {
  readonly auids: readonly string[];
  readonly extensions?: readonly string[] | undefined;
  readonly namespaces: readonly string[];
}): string {
  const builder = new MarkupBuilder(namespaces.xcapCaps, 'xcap-caps');
  const list = (group: string, item: string, values: readonly string[]): void => {
    const parent = builder.child(builder.root, group);
    for (const value of values) builder.child(parent, item, {}, value);
  };
  list('auids', 'auid', capabilities.auids);
  if (capabilities.extensions !== undefined) list('extensions', 'extension', capabilities.extensions);
  list('namespaces', 'namespace', capabilities.namespaces);
  return builder.end();
}

/** One folder of a directory: the documents of one application usage. */
export interface DirectoryFolder {
  readonly auid: string;
  readonly entries: readonly {
    readonly uri: string;
    readonly etag: string;
    /** ISO 8601. */
    readonly lastModified?: string | undefined;
    /** Bytes. */
    readonly size?: number | undefined;
  }[];
}

/** The OMA XDM directory of a user's documents. */
export function composeXcapDirectory(folders: readonly DirectoryFolder[]): string {
  const builder = new MarkupBuilder(namespaces.xcapDirectory, 'xcap-directory');
  for (const folder of folders) {
    const parent = builder.child(builder.root, 'folder', { auid: folder.auid });
    for (const { uri, etag, lastModified, size } of folder.entries) {
      builder.child(parent, 'entry', { uri, etag, 'last-modified': lastModified, size: size?.toString() });
    }
  }
  return builder.end();
}

/** A resource list with one unnamed list, the body of a SUBSCRIBE (RFC 5875 4.4). */
export function composeResourceLists(uris: readonly string[]): string {
  const builder = new MarkupBuilder(namespaces.resourceLists, 'resource-lists');
  const list = builder.child(builder.root, 'list');
  for (const uri of uris) builder.child(list, 'entry', { uri });
  return builder.end();
}

/** An element as a diff shows it: its own markup, and the namespaces that it borrows from its ancestors. */
export interface ShownElement {
  readonly markup: string;
  readonly borrowed: ReadonlyMap<string, string>;
}

/** A change of one document. Tags without quotes. `patch` is finished markup that `namespaces` are declared for. */
export interface DocumentDiff {
  readonly kind: 'document';
  readonly sel: string;
  readonly newTag?: string | undefined;
  readonly previousTag?: string | undefined;
  /** Only the tag has changed. */
  readonly bodyNotChanged?: boolean | undefined;
  /** RFC 5261 operations, their elements with the prefix that composeXcapDiff was given. */
  readonly patch?: string | undefined;
  readonly namespaces?: ReadonlyMap<string, string> | undefined;
}

/** State of one element. `exists: false` = gone; without `shown` it exists but is not shown. */
export interface ElementDiff {
  readonly kind: 'element';
  readonly sel: string;
  readonly exists: boolean;
  readonly shown?: ShownElement | undefined;
}

/** State of one attribute; `value` is normalised text without quotes. */
export interface AttributeDiff {
  readonly kind: 'attribute';
  readonly sel: string;
  readonly exists: boolean;
  readonly value?: string | undefined;
}

export type DiffComponent = DocumentDiff | ElementDiff | AttributeDiff;

/**
 * An xcap-diff document, RFC 5874. `root` is the XCAP root that every `sel` resolves against, with its final slash.
 * With shown elements or patches the diff's own names take the prefix given, so that the default namespace stays with the content.
 */
export function composeXcapDiff(root: string, components: readonly DiffComponent[], prefix?: string): string {
  const foreign = components.some(
    (c) => (c.kind === 'element' && c.shown !== undefined) || (c.kind === 'document' && c.patch !== undefined),
  );
  const own = foreign ? (prefix ?? freePrefix(components)) : '';
  const builder = new MarkupBuilder(namespaces.xcapDiff, own === '' ? 'xcap-diff' : `${own}:xcap-diff`, {
    'xcap-root': root,
  });
  for (const component of components) addComponent(builder, component);
  return builder.end();
}

function addComponent(builder: MarkupBuilder, component: DiffComponent): void {
  const { kind, sel } = component;
  if (kind === 'document') {
    const attributes = { sel, 'new-etag': component.newTag, 'previous-etag': component.previousTag };
    const document = builder.child(builder.root, kind, attributes, undefined, component.namespaces);
    if (component.bodyNotChanged === true) builder.child(document, 'body-not-changed');
    else if (component.patch !== undefined) builder.markup(document, component.patch);
    return;
  }
  const attributes = { sel, exists: component.exists ? undefined : 'false' };
  if (kind === 'attribute') {
    builder.child(builder.root, kind, attributes, component.exists ? component.value : undefined);
  } else {
    const shown = component.exists ? component.shown : undefined;
    const element = builder.child(builder.root, kind, attributes, undefined, shown?.borrowed);
    if (shown !== undefined) builder.markup(element, shown.markup);
  }
}

/** A prefix for the diff's own names that no content uses. */
function freePrefix(components: readonly DiffComponent[]): string {
  const taken = new Set(
    components.flatMap((c) => {
      if (c.kind === 'element') return [...(c.shown?.borrowed.keys() ?? [])];
      return c.kind === 'document' ? [...(c.namespaces?.keys() ?? [])] : [];
    }),
  );
  let prefix = 'd';
  for (let number = 1; taken.has(prefix); number++) prefix = `d${number}`;
  return prefix;
}

/** An element with its prefixes and declarations unchanged, as RFC 5874 3 wants it shown. */
export function shownElement(index: OffsetIndex, element: ElementId): ShownElement {
  const parent = index.parent(element);
  const outside = parent < 0 ? new Map<string, string>() : index.namespacesInScope(parent);
  const borrowed = new Map<string, string>();
  const use = (at: ElementId, prefix: string): void => {
    const uri = outside.get(prefix);
    if (uri !== undefined && index.namespaceOf(at, prefix) === uri) borrowed.set(prefix, uri);
  };
  let typed = false;
  for (const at of [element, ...index.descendants(element)]) {
    use(at, index.prefix(at));
    for (const attribute of index.attributes(at)) {
      if (attribute.prefix !== '') use(at, attribute.prefix);
      typed ||= attribute.namespace === namespaces.schemaInstance;
    }
  }
  const markup = index.source(index.outerStart(element), index.outerEnd(element));
  // Names inside xsi:type values use prefixes that no element or attribute name shows.
  return { markup, borrowed: typed ? outside : borrowed };
}

/** The namespace bindings of an element, RFC 4825 10: an empty element of its name and prefix that declares all that is in scope. */
export function composeNamespaceBindings(index: OffsetIndex, element: ElementId): string {
  const name = index.source(index.outerStart(element) + 1, index.tagNameEnd(element));
  // Not built with xmlbuilder2: of several prefixes for one namespace it would choose another than the element has.
  const declarations = [...index.namespacesInScope(element)].map(
    ([prefix, uri]) => ` xmlns${prefix === '' ? '' : `:${prefix}`}="${escapeAttributeValue(uri)}"`,
  );
  return `<${name}${declarations.join('')}/>`;
}
