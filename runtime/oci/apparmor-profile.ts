/** Name of the AppArmor profile that `runtime-default` stands for. */
export const defaultApparmorProfile = 'lighter-default'

interface ProfileFacts {
  /** Profile that the daemon itself runs under; undefined: none. */
  readonly daemonProfile: string | undefined
  /** Whether the policy of this node knows the feature set 3.0, which all rules here are written for. */
  readonly hasAbi: boolean
}

/**
 * Text of the default profile: all files, sockets and capabilities that the container has anyway, signals from those
 * that stop containers and within the profile, no mounts, and nothing of /proc and /sys that changes the kernel.
 * It includes no other file, so that it loads on every node (apparmor.d(5)).
 */
export function apparmorProfileText({ daemonProfile, hasAbi }: ProfileFacts): string {
  const senders = ['unconfined', 'runc', 'crun', ...(daemonProfile === undefined ? [] : [daemonProfile])]
  return `${hasAbi ? 'abi <abi/3.0>,\n\n' : ''}profile ${defaultApparmorProfile} flags=(attach_disconnected,mediate_deleted) {
  capability,
  file,
  network,
  unix,
  umount,

${senders.map(sender => `  signal (receive) peer="${sender}",`).join('\n')}
  signal (send, receive) peer=${defaultApparmorProfile},
  ptrace (trace, read, tracedby, readby) peer=${defaultApparmorProfile},

  deny mount,

  deny /proc/* w,
  deny /proc/[^1-9s]*/** w,
  deny /proc/s[^ye]*/** w,
  deny /proc/{kcore,kmem,mem,sysrq-trigger} rwklx,
  # Of the sysctls only those of shared memory, which are the pod's own.
  deny /proc/sys/[^k]** w,
  deny /proc/sys/k[^e]** w,
  deny /proc/sys/kernel/[^s]** w,
  deny /proc/sys/kernel/s[^h]** w,
  deny /proc/sys/kernel/sh[^m]** w,

  # Control groups have permissions of their own.
  deny /sys/[^f]*/** wklx,
  deny /sys/f[^s]*/** wklx,
  deny /sys/fs/[^c]*/** wklx,
  deny /sys/fs/c[^g]*/** wklx,
  deny /sys/{firmware,kernel/security}/** rwklx,
  deny /sys/devices/virtual/powercap/** rwklx,
}
`
}
