import { RuntimeError } from '#base/errors'
import type { SeccompSpec } from '#engine/oci/spec/types'
import type { api } from '#nri-proto'
import { given, toNumber } from '../convert/values.ts'

/** A plugin's seccomp policy; it replaces the container's. Errors: `unimplemented` for a listener. */
export function toSeccomp(policy: api.LinuxSeccomp.$Properties): SeccompSpec {
  if (policy.listenerPath || policy.listenerMetadata) {
    throw new RuntimeError('unimplemented', 'linux.seccomp_policy: listeners are not known')
  }
  return {
    defaultAction: policy.defaultAction ?? '',
    ...given({ defaultErrnoRet: policy.defaultErrno?.value ?? undefined }),
    ...(policy.architectures?.length ? { architectures: policy.architectures } : {}),
    ...(policy.flags?.length ? { flags: policy.flags } : {}),
    syscalls: (policy.syscalls ?? []).map(syscall => ({
      names: syscall.names ?? [],
      action: syscall.action ?? '',
      ...given({ errnoRet: syscall.errnoRet?.value ?? undefined }),
      ...(syscall.args?.length ? { args: syscall.args.map(toArgument) } : {}),
    })),
  }
}

function toArgument(argument: api.LinuxSeccompArg.$Properties): {
  readonly index: number
  readonly value: number
  readonly valueTwo: number
  readonly op: string
} {
  return {
    index: argument.index ?? 0,
    value: toNumber(argument.value, 'linux.seccomp_policy.value'),
    valueTwo: toNumber(argument.valueTwo, 'linux.seccomp_policy.value_two'),
    op: argument.op ?? '',
  }
}
