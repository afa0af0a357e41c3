/** /etc/lighter/config.yaml with every key at its default, explained. A test keeps it equal to defaults.ts. */
export const defaultText = `# Configuration of lighterd. Every key may be left out; this file shows the defaults.
# config.d/*.yaml beside this file is read after it, in the order of the names; maps are merged, all else replaced.
# An unknown key is an error. \`lighter config\` prints what is in force.

# Persistent data: images, snapshots, records.
root: /var/lib/lighter

# What a reboot may take: sockets, bundles, pinned namespaces. At most 40 bytes long.
state: /run/lighter

# Socket of the CRI, for the kubelet and crictl. Mode 0660, owner root.
listen: unix:///run/lighter/lighter.sock

# Directory of lighter-host and the other native programs; empty: those that came with lighterd.
programsDir: ''

# auto, cgroupfs or systemd. auto: systemd where it runs a pure cgroup v2 tree, else cgroupfs.
cgroupDriver: auto

cni:
  # Network configuration lists; the first one by name is used, and the directory is watched.
  confDir: /etc/cni/net.d
  # Plugins, looked up in this order.
  binDirs:
    - /opt/cni/bin
    - /usr/lib/cni

registries:
  # HOST/hosts.toml: mirrors, certificates and plain HTTP per registry.
  certsDir: /etc/lighter/certs.d
  # Hosts (name or name:port) that are spoken to over plain HTTP. Loopback needs no entry.
  insecureHosts: []

runtimes:
  # The handler of pods that ask for none.
  default: runc
  # Name of a handler: its OCI runtime, as an absolute path or a name in PATH.
  handlers:
    runc:
      path: runc
      # Privileged containers get the devices that they name, and not all of the host's.
      privilegedWithoutHostDevices: false
      # Annotations of pods and containers that the OCI runtime sees; "example.org/*" is all that begin so.
      allowedAnnotations: []
      # Directory of OCI hooks (oci-hooks(5), version 1.0.0); empty: none.
      hooksDir: ''
      # Devices belong to the user that the container runs as, not to whom they belong on the host.
      deviceOwnershipFromSecurityContext: false

cdi:
  # Directories of CDI specs; of two devices with one name that of the later directory counts.
  specDirs:
    - /etc/cdi
    - /var/run/cdi

checkpoint:
  # CRIU, which captures and restores processes: an absolute path that ends with /criu, or a name in PATH.
  criuPath: criu
  # A container whose image is a checkpoint (annotation org.criu.checkpoint.container.name, or those of CRI-O and Podman)
  # goes on from it. Who makes such an image then decides which user and capabilities its processes have.
  restoreImages: false

# Exec, attach and port-forward: a server for those who got a URL from the CRI.
streaming:
  # IP address to listen on.
  address: 127.0.0.1
  # 0: any free port.
  port: 0
  # Plain HTTP on an address that other machines can reach: what is typed into containers can be read on the wire.
  allowPlainHttp: false
  # HTTPS, when there are a certificate and a key. The files are read again when they change.
  tls:
    # PEM, with the intermediate certificates.
    certFile: ''
    # PEM, not encrypted.
    keyFile: ''
    # Authorities of client certificates, which are required then.
    clientCaFile: ''
    # TLSv1.2 or TLSv1.3.
    minVersion: TLSv1.2
  # A connection on which nothing moves for this long is closed: 4 hours.
  idleTimeoutMs: 14400000
  # A client has this long to open its streams.
  streamCreationTimeoutMs: 30000

nri:
  # Plugins that may change pods and containers (Node Resource Interface, 0.12 line).
  enabled: false
  # Socket for plugins that start by themselves; mode 0600, owner root.
  socketPath: /var/run/nri/nri.sock
  # Plugins that lighterd starts: executable files named 10-name.
  pluginDir: /opt/nri/plugins
  # 10-name.conf or name.conf is given to the plugin of that name.
  configDir: /etc/nri/conf.d
  # A plugin that takes longer to register, or to take in what is there, is disconnected.
  registrationTimeoutMs: 5000
  # One that takes longer to answer anything else is disconnected, too.
  requestTimeoutMs: 2000
  # Only plugins that lighterd starts.
  disableExternalConnections: false

# A page for Prometheus: http://ADDRESS:PORT/metrics. METRICS.md lists what is there.
metrics:
  # Takes up to 7 MB of memory once it is read, and wakes the process five times a second.
  enabled: false
  # IP address to listen on. Plain HTTP, and anybody who can reach it may read it.
  address: 127.0.0.1
  # 0: any free port; the log names it.
  port: 9750

log:
  # debug, info, warn or error.
  level: info

limits:
  # Layers fetched side by side, over all pulls.
  layerDownloads: 6
  # A pull that receives nothing for this long is given up.
  pullProgressTimeoutMs: 60000
  # Largest manifest or image configuration: 4 MiB.
  manifestBytes: 4194304
  # Largest layer when unpacked: 64 GiB, and 10 million files.
  layerBytes: 68719476736
  layerInodes: 10000000
  # One call of a network plugin.
  cniPluginTimeoutMs: 60000
  # One call of an OCI runtime.
  runtimeTimeoutMs: 60000
  # Output of one ExecSync, each stream: 16 MiB. What is more is dropped.
  execSyncBytes: 16777216
`
