import type { InterfaceStats, NetworkStats } from '#engine/model/stats'
import type { MetricFamily } from './metric-family.ts'

/** Traffic of a pod, by interface. */
export const networkFamilies: readonly MetricFamily<NetworkStats>[] = [
  family('receive_bytes', 'bytes received', ({ rx }) => rx.bytes),
  family('receive_packets', 'packets received', ({ rx }) => rx.packets),
  family('receive_packets_dropped', 'packets dropped while receiving', ({ rx }) => rx.dropped),
  family('receive_errors', 'errors encountered while receiving', ({ rx }) => rx.errors),
  family('transmit_bytes', 'bytes transmitted', ({ tx }) => tx.bytes),
  family('transmit_packets', 'packets transmitted', ({ tx }) => tx.packets),
  family('transmit_packets_dropped', 'packets dropped while transmitting', ({ tx }) => tx.dropped),
  family('transmit_errors', 'errors encountered while transmitting', ({ tx }) => tx.errors),
]

function family(
  name: string,
  help: string,
  value: (found: InterfaceStats) => number,
): MetricFamily<NetworkStats> {
  return {
    name: `container_network_${name}_total`,
    help: `Cumulative count of ${help}`,
    type: 'counter',
    labels: ['interface'],
    samples: ({ interfaces }) => interfaces.map(found => ({ labels: [found.name], value: value(found) })),
  }
}
