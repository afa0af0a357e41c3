/**
 * Names in a checkpoint archive, those that CRI-O and Podman write and that checkpointctl shows (checkpointctl,
 * lib/metadata.go). A pod's directory holds such an archive for each container, and the last two.
 */
export const layout = {
  /** CRIU's images. */
  images: 'checkpoint',
  /** What container it was. */
  config: 'config.dump',
  /** Its OCI config.json. */
  spec: 'spec.dump',
  /** Tar of the files that it had changed. */
  changes: 'rootfs-diff.tar',
  /** JSON list of the files of its image that it had deleted. */
  deleted: 'deleted.files',
  dumpLog: 'dump.log',
  dumpStatistics: 'stats-dump',
  podOptions: 'pod.options',
  pod: 'pod.dump',
} as const
