// Finds a person's identities in the texts of journal entries: in any case, plain or percent-encoded, and not as a part of a longer one.

/** Whether a text names one of the identities. */
export function namesPerson(identities: readonly string[]): (text: string) => boolean {
  const wanted = identities.filter((identity) => identity !== '').map((identity) => identity.toLowerCase());
  return (text) => {
    const plain = text.toLowerCase();
    const decoded = plain.includes('%') ? percentDecoded(plain) : plain;
    return wanted.some((identity) => stands(identity, plain) || (decoded !== plain && stands(identity, decoded)));
  };
}

// `sip:al@red.example` does not stand in `sip:al@red.example.org` nor in `sip:al@red.example2`.
function stands(identity: string, text: string): boolean {
  for (let at = text.indexOf(identity); at >= 0; at = text.indexOf(identity, at + 1)) {
    const before = text[at - 1] ?? '';
    const behind = text.slice(at + identity.length, at + identity.length + 2);
    if (!/[\w+-]/.test(before) && !/^(?:[\w-]|\.\w)/.test(behind)) return true;
  }
  return false;
}

function percentDecoded(text: string): string {
  return text.replace(/%([0-9a-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)).toLowerCase(),
  );
}
