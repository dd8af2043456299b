// Tells whether a change of a document touches what binds both systems; local edits of a partner's groups must not.
import type { OffsetIndex } from '../xml/offset-index.ts';
import { endToEndAround, isGroupIdAttribute } from './end-to-end.ts';

/** The name of an end-to-end part that is not the same in both documents; undefined when all are. */
export function endToEndChange(before: OffsetIndex, after: OffsetIndex): string | undefined {
  const were = endToEndParts(before);
  const are = endToEndParts(after);
  const lost = were.find((part, place) => part.source !== are[place]?.source);
  return (lost ?? are[were.length])?.name;
}

function endToEndParts(index: OffsetIndex): readonly { readonly name: string; readonly source: string }[] {
  const parts: { readonly name: string; readonly source: string }[] = [];
  for (const element of index.descendants(index.root)) {
    const parent = index.parent(element);
    const name = endToEndAround(index, element);
    const groupId = index.attributeView(element, 'uri');
    // Another spelling of the group ID is not what its home wrote, either.
    if (groupId !== undefined && isGroupIdAttribute(index, element, '', 'uri')) {
      parts.push({ name: 'list-service/@uri', source: groupId.value });
    }
    // Parts of a part are in it.
    if (name === undefined || (parent >= 0 && endToEndAround(index, parent) !== undefined)) continue;
    parts.push({ name, source: index.source(index.outerStart(element), index.outerEnd(element)) });
  }
  return parts;
}
