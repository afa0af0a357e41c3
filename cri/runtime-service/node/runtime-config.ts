import { v1 } from '#proto'
import type { DoorDeps } from '../../door.ts'
import type { Handler } from '../../grpc/handler.ts'
import type { runtimeMethods } from '../../grpc/methods.ts'

/** Overrides the kubelet's own cgroup driver. Zero means systemd, so that the field must always be set. */
export function runtimeConfig({ engine }: DoorDeps): Handler<typeof runtimeMethods.RuntimeConfig> {
  return async ctx => {
    const { cgroupDriver } = await engine.node.status(ctx)
    const { CGROUPFS, SYSTEMD } = v1.CgroupDriver
    return { linux: { cgroupDriver: cgroupDriver === 'systemd' ? SYSTEMD : CGROUPFS } }
  }
}
