/** A small network for one node: a bridge with masquerade, addresses from one subnet, published ports. */
export interface DefaultConfList {
  /** Such as lighter0, at most 15 characters. */
  readonly bridge: string
  /** IPv4 with prefix length, such as 10.88.0.0/16; its first address becomes the bridge's. */
  readonly subnet: string
  /** Directory of the leases; absent: host-local's own, /var/lib/cni/networks. */
  readonly leaseDir?: string
}

/** The text of a `.conflist` for the bridge, host-local and portmap plugins from 1.0 up. */
export function renderDefaultConfList(network: DefaultConfList): string {
  const ipam = {
    type: 'host-local',
    ranges: [[{ subnet: network.subnet }]],
    routes: [{ dst: '0.0.0.0/0' }],
    ...(network.leaseDir === undefined ? {} : { dataDir: network.leaseDir }),
  }
  const bridge = {
    type: 'bridge',
    bridge: network.bridge,
    isGateway: true,
    ipMasq: true,
    hairpinMode: true,
    ipam,
  }
  const portmap = { type: 'portmap', capabilities: { portMappings: true } }
  const list = { cniVersion: '1.0.0', name: 'lighter', plugins: [bridge, portmap] }
  return `${JSON.stringify(list, undefined, 2)}\n`
}
