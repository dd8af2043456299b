// The group documents the demo plays with; red is the primary of all of them.
import { readFile } from 'node:fs/promises';

export interface ExampleGroup {
  readonly groupId: string;
  readonly document: string;
}

/** An example group of `config/groups`. */
export async function example(name: string, groupId: string): Promise<ExampleGroup> {
  return { groupId, document: await readFile(new URL(`../../config/groups/${name}`, import.meta.url), 'utf8') };
}

/** Simple MCPTT group with members of both systems. */
export const harbour = (): Promise<ExampleGroup> => example('harbour-tg1.xml', 'sip:harbour-tg1@red.example');

/** MCPTT, MCVideo and MCData with four rules. */
export const jointFlood = (): Promise<ExampleGroup> =>
  example('joint-flood-2026.xml', 'sip:joint-flood-2026@red.example');

/** Three systems, other prefixes, extensions of later releases. */
export const border = (): Promise<ExampleGroup> => example('border-7.xml', 'sip:border-7@red.example');
