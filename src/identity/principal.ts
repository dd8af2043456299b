// Who is calling, in which role: the one answer that every credential (token, assertion, certificate, SIP identity) leads to.
// Everything that decides rights takes a Principal and nothing else.

/** A user of a group management client; `identities` are its canonical MCPTT, MCVideo and MCData IDs. */
export interface ClientPrincipal {
  readonly role: 'client';
  readonly identities: readonly string[];
}

/** One of our own MC service servers, by its public service identity. */
export interface ServerPrincipal {
  readonly role: 'server';
  readonly identity: string;
}

/** An administrator of this system; `groups` are the patterns it may act on, absent = all. It reads its own documents like a client. */
export interface AdministratorPrincipal {
  readonly role: 'administrator';
  readonly identity: string;
  readonly groups?: readonly string[] | undefined;
}

/** The GMS of a partner system: `partner` is the configured name, `identity` its PSI. Exists on CSC-16 only. */
export interface PartnerPrincipal {
  readonly role: 'partner';
  readonly partner: string;
  readonly identity: string;
}

export type Principal = ClientPrincipal | ServerPrincipal | AdministratorPrincipal | PartnerPrincipal;

/** The name under which a principal appears in the journal: its (first) identity. */
export function principalName(principal: Principal): string {
  return principal.role === 'client' ? (principal.identities[0] ?? 'unknown') : principal.identity;
}
