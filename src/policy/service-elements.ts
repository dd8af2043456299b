// Which MC service each element of a group document belongs to: the one table behind dropping services and clamping priorities.
// TS 24.481 clause 7.2; what is not named here is common to all services and stays.
import type { McService } from '../config/schema.ts';

export const mcServices: readonly McService[] = ['mcptt', 'mcvideo', 'mcdata'];

/** Element of `list-service` that holds the group priority of each service (priorityType, 0 to 255). */
export const priorityElements: Readonly<Record<McService, string>> = {
  mcptt: 'on-network-group-priority',
  mcvideo: 'mcvideo-on-network-group-priority',
  mcdata: 'mcdata-on-network-group-priority',
};

/** Places in a group document whose mcpttgi children the table judges. */
export type ElementPlace = 'list-service' | 'entry' | 'actions';

// Elements whose name does not tell their service by a `mcptt-`, `mcvideo-` or `mcdata-` prefix.
const unprefixed: Readonly<Record<ElementPlace, Readonly<Partial<Record<McService, readonly string[]>>>>> = {
  'list-service': {
    mcptt: [
      'on-network-invite-members',
      'on-network-max-participant-count',
      'preferred-voice-encodings',
      'on-network-hang-timer',
      'on-network-maximum-duration',
      'on-network-in-progress-emergency-state-cancellation-timeout',
      'on-network-in-progress-imminent-peril-state-cancellation-timeout',
      'on-network-minimum-number-to-start',
      'on-network-timeout-for-acknowledgement-of-required-members',
      'on-network-action-upon-expiration-of-timeout-for-acknowledgement-of-required-members',
      'protect-media',
      'protect-floor-control-signalling',
      'require-multicast-floor-control-signalling',
      'on-network-group-priority',
      'multi-talker-control',
      'off-network-hang-timer',
      'off-network-maximum-duration',
      'off-network-queue-usage',
      'off-network-in-progress-emergency-state-cancellation-timeout',
      'off-network-in-progress-imminent-peril-state-cancellation-timeout',
      'off-network-ProSe-signalling-PPPP',
      'off-network-ProSe-emergency-call-signalling-PPPP',
      'off-network-ProSe-imminent-peril-call-signalling-PPPP',
      'off-network-ProSe-media-PPPP',
      'off-network-ProSe-emergency-call-media-PPPP',
      'off-network-ProSe-imminent-peril-call-media-PPPP',
    ],
    mcvideo: ['on-network-reception-hang-timer'],
  },
  entry: {
    mcptt: ['on-network-required', 'on-network-recvonly', 'multi-talker-allowed'],
    mcvideo: ['user-reception-priority'],
  },
  actions: {
    mcptt: [
      'allow-MCPTT-emergency-call',
      'allow-imminent-peril-call',
      'allow-MCPTT-emergency-alert',
      'on-network-allow-getting-affiliation-list',
      'on-network-allow-conference-state',
    ],
  },
};

const tables = Object.fromEntries(
  Object.entries(unprefixed).map(([place, services]) => [
    place,
    new Map(
      Object.entries(services).flatMap(([service, names]) =>
        names.map((name) => [name, service as McService] as const),
      ),
    ),
  ]),
) as unknown as Readonly<Record<ElementPlace, ReadonlyMap<string, McService>>>;

/** The one MC service that an mcpttgi element at this place belongs to; undefined when it is common or unknown. */
export function serviceOfElement(place: ElementPlace, localName: string): McService | undefined {
  return mcServices.find((service) => localName.startsWith(`${service}-`)) ?? tables[place].get(localName);
}
