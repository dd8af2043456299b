// Group IDs that would be accepted in place of one that is not (TS 24.481 clause 6.3.2.3; RFC 4825 clause 11.1, alt-value).

const offered = 2;
const attempts = 8;

/**
 * Up to two free group IDs near a canonical one that was refused: its user part in `domain`, numbered when that is taken.
 * `isFree` answers for a canonical group ID.
 */
export async function alternativeGroupIds(
  groupId: string,
  domain: string,
  isFree: (groupId: string) => Promise<boolean>,
): Promise<readonly string[]> {
  const user = /^(?:sips?:([^@]+)@|tel:\+?([^;]+))/.exec(groupId);
  const name = user?.[1] ?? user?.[2] ?? 'group';
  const found: string[] = [];
  for (let number = 1; number <= attempts && found.length < offered; number++) {
    const candidate = `sip:${name}${number === 1 ? '' : `-${number}`}@${domain}`;
    if (candidate !== groupId && (await isFree(candidate))) found.push(candidate);
  }
  return found;
}
