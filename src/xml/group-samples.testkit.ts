// Group documents made to measure for tests: small ones around one element, and large ones.

/** Names of TS 24.481 member extensions by kind of content. */
export const memberExtensions: Readonly<Record<string, string>> = {
  priority: `
    user-priority
    user-reception-priority`,
  string: `
    participant-type`,
  empty: `
    on-network-required
    on-network-recvonly
    multi-talker-allowed
    mcvideo-on-network-required`,
  integer: `
    mcdata-max-data-in-single-request`,
  duration: `
    mcdata-max-time-in-single-request`,
  uriReference: `
    mcvideo-mcvideo-id
    mcdata-mcdata-id`,
};

/** Names of TS 24.481 group extensions by kind of content. */
export const groupExtensions: Readonly<Record<string, string>> = {
  empty: `
    on-network-disabled
    require-multicast-floor-control-signalling`,
  temporary: `
    on-network-temporary`,
  regrouped: `
    on-network-regrouped`,
  string: `
    owner
    off-network-ProSe-layer-2-group-id
    off-network-IP-multicast-address
    off-network-PDN-type
    off-network-ProSe-relay-service-code
    on-network-action-upon-expiration-of-timeout-for-acknowledgement-of-required-members
    mcvideo-active-real-time-video-mode
    mcvideo-off-network-arbitration-approach
    mcdata-enhanced-status-operational-values
    mcdata-off-network-ProSe-signalling-PPPP
    mcdata-off-network-ProSe-media-PPPP
    off-network-ProSe-signalling-PPPP
    mcvideo-off-network-ProSe-signalling-PPPP
    off-network-ProSe-emergency-call-signalling-PPPP
    mcvideo-off-network-ProSe-emergency-call-signalling-PPPP
    off-network-ProSe-imminent-peril-call-signalling-PPPP
    mcvideo-off-network-ProSe-imminent-peril-call-signalling-PPPP
    off-network-ProSe-media-PPPP
    mcvideo-off-network-ProSe-media-PPPP
    off-network-ProSe-emergency-call-media-PPPP
    mcvideo-off-network-ProSe-emergency-call-media-PPPP
    off-network-ProSe-imminent-peril-call-media-PPPP
    mcvideo-off-network-ProSe-imminent-peril-call-media-PPPP`,
  integer: `
    level-within-group-hierarchy
    level-within-user-hierarchy
    mcvideo-maximum-simultaneous-mcvideo-transmitting-group-members
    mcvideo-off-network-maximum-simultaneous-transmissions
    mcdata-on-network-max-data-size-for-SDS
    mcdata-on-network-max-data-size-for-FD
    mcdata-on-network-max-data-size-auto-recv
    mcdata-default-charset`,
  nonNegative: `
    on-network-max-participant-count`,
  boolean: `
    preconfigured-group-use-only
    on-network-invite-members
    protect-media
    protect-floor-control-signalling
    mcptt-on-network-audio-cut-in
    multi-talker-control
    off-network-queue-usage
    mcvideo-on-network-invite-members
    mcvideo-protect-media
    mcvideo-protect-transmission-control
    mcvideo-urgent-real-time-video-mode
    mcvideo-non-urgent-real-time-video-mode
    mcvideo-non-real-time-video-mode
    mcdata-protect-media
    mcdata-protect-transmission-control
    mcdata-allow-short-data-service
    mcdata-allow-file-distribution
    mcdata-allow-conversation-management
    mcdata-allow-tx-control
    mcdata-allow-rx-control
    mcdata-allow-enhanced-status`,
  encodings: `
    preferred-voice-encodings
    mcvideo-preferred-audio-encodings
    mcvideo-preferred-video-encodings`,
  open: `
    mcvideo-preferred-video-resolutions
    mcvideo-preferred-video-frame-rate`,
  duration: `
    on-network-hang-timer
    on-network-maximum-duration
    on-network-in-progress-emergency-state-cancellation-timeout
    on-network-in-progress-imminent-peril-state-cancellation-timeout
    on-network-timeout-for-acknowledgement-of-required-members
    off-network-hang-timer
    off-network-maximum-duration
    off-network-in-progress-emergency-state-cancellation-timeout
    off-network-in-progress-imminent-peril-state-cancellation-timeout
    mcvideo-on-network-maximum-duration
    on-network-reception-hang-timer
    mcvideo-off-network-maximum-duration
    mcvideo-off-network-in-progress-emergency-state-cancellation-timeout
    mcvideo-off-network-in-progress-imminent-peril-state-cancellation-timeout`,
  unsignedShort: `
    on-network-minimum-number-to-start
    mcvideo-on-network-minimum-number-to-start`,
  priority: `
    on-network-group-priority
    mcvideo-on-network-group-priority
    mcdata-on-network-group-priority`,
};

/** Names of the boolean actions of TS 24.481. */
export const ruleActions = `
    on-network-allow-getting-member-list
    allow-MCPTT-emergency-call
    allow-imminent-peril-call
    allow-MCPTT-emergency-alert
    on-network-allow-getting-affiliation-list
    on-network-allow-conference-state
    mcvideo-allow-emergency-call
    mcvideo-allow-emergency-alert
    mcvideo-allow-imminent-peril-call
    mcvideo-on-network-allow-conference-state
    mcvideo-on-network-allow-getting-affiliation-list
    mcdata-allow-transmit-data-in-this-group
    mcdata-on-network-allow-getting-affiliation-list`;

const open = `<group xmlns="urn:oma:xml:poc:list-service" xmlns:rl="urn:ietf:params:xml:ns:resource-lists"
  xmlns:cp="urn:ietf:params:xml:ns:common-policy" xmlns:ocp="urn:oma:xml:xdm:common-policy"
  xmlns:oxe="urn:oma:xml:xdm:extensions" xmlns:m="urn:3gpp:ns:mcpttGroupInfo:1.0" xmlns:x="urn:example:other">`;

/** A group document with this content. */
export function groupOf(content: string): Uint8Array {
  return Buffer.from(`${open}${content}</group>`);
}

/** A group document with one list-service of this content. */
export function serviceOf(content: string): Uint8Array {
  return groupOf(`<list-service uri="sip:g@red.example">${content}</list-service>`);
}

/** A group document with one member of this content. */
export function memberOf(content: string): Uint8Array {
  return serviceOf(`<list><entry uri="sip:a@red.example">${content}</entry></list>`);
}

/** A group document with one rule of this content. */
export function ruleOf(content: string): Uint8Array {
  return serviceOf(`<cp:ruleset><cp:rule id="r">${content}</cp:rule></cp:ruleset>`);
}

/** A group document with this many members, about 210 bytes each. */
export function groupWithMembers(count: number, entry = ''): Uint8Array {
  const entries = Array.from(
    { length: count },
    (_, i) =>
      `<entry uri="sip:u${i}@blue.example"><rl:display-name>User ${i}</rl:display-name>` +
      `<m:participant-type>first responder</m:participant-type><m:user-priority>${i % 256}</m:user-priority>${entry}</entry>\n`,
  );
  return serviceOf(`<list>${entries.join('')}</list>`);
}
