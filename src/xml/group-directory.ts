// The directory of the documents that a partner may read (OMA XDM), which can be long: it is written in slices, by plain text.
import { escapeAttributeValue } from './character-data.ts';
import { namespaces } from './names.ts';

/** One document; `tag` without quotes. */
export interface DirectoryLine {
  readonly uri: string;
  readonly tag: string;
}

/** Entries written between two places where others may have their turn. */
const sliceLength = 200;

/** Composes a directory with one folder; yields where it can be interrupted. */
export function* composingDirectory(auid: string, lines: readonly DirectoryLine[]): Generator<void, string> {
  const parts = [
    `<?xml version="1.0" encoding="UTF-8"?>\n<xcap-directory xmlns="${namespaces.xcapDirectory}"><folder auid="${escapeAttributeValue(auid)}">`,
  ];
  for (const [place, { uri, tag }] of lines.entries()) {
    parts.push(`<entry uri="${escapeAttributeValue(uri)}" etag="${escapeAttributeValue(tag)}"/>`);
    if (place % sliceLength === sliceLength - 1) yield;
  }
  parts.push('</folder></xcap-directory>');
  return parts.join('');
}
