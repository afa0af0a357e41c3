import { isUtf8 } from 'node:buffer'
import type { ContainerConfig, ContainerDevice } from '#engine/model/container'
import type { v1 } from '#proto'
import { toMount } from './container-mount.ts'
import { toSecurity } from './container-security.ts'
import { invalid, plainText, plainTexts, required, requiredText, textMap } from './fields.ts'
import { toResources } from './linux.ts'
import { signalName } from './signal.ts'

/** ContainerConfig as the engine has it. */
export function toContainerConfig(input: v1.ContainerConfig.$Properties | null | undefined): ContainerConfig {
  const config = required(input, 'config')
  const metadata = required(config.metadata, 'config.metadata')
  const image = required(config.image, 'config.image')
  return {
    metadata: { name: requiredText(metadata.name, 'config.metadata.name'), attempt: metadata.attempt ?? 0 },
    image: requiredText(image.image, 'config.image.image'),
    userSpecifiedImage: plainText(image.userSpecifiedImage, 'config.image.user_specified_image'),
    command: plainTexts(config.command, 'config.command'),
    args: plainTexts(config.args, 'config.args'),
    workingDir: plainText(config.workingDir, 'config.working_dir'),
    envs: (config.envs ?? []).map(toVariable),
    mounts: (config.mounts ?? []).map(toMount),
    devices: (config.devices ?? []).map(toDevice),
    cdiDevices: (config.CDIDevices ?? []).map((device, index) =>
      requiredText(device.name, `config.CDI_devices[${index}].name`),
    ),
    labels: textMap(config.labels),
    annotations: textMap(config.annotations),
    logPath: plainText(config.logPath, 'config.log_path'),
    hasStdin: config.stdin ?? false,
    isStdinOnce: config.stdinOnce ?? false,
    hasTty: config.tty ?? false,
    stopSignal: signalName(config.stopSignal),
    resources: toResources(config.linux?.resources, 'config.linux.resources'),
    security: toSecurity(config.linux?.securityContext),
  }
}

/** The interface has bytes here, the OCI configuration is JSON: what is not UTF-8 cannot be passed on. */
function toVariable(input: v1.KeyValue.$Properties, index: number): ContainerConfig['envs'][number] {
  const key = requiredText(input.key, `config.envs[${index}].key`)
  if (key.includes('=')) throw invalid(`environment variable "${key}" has a "=" in its name`)
  const value = input.value ?? new Uint8Array()
  if (!isUtf8(value)) throw invalid(`environment variable "${key}" is not UTF-8`)
  return { key, value: plainText(Buffer.from(value).toString(), `environment variable "${key}"`) }
}

const devicePermissions = /^[rwm]{0,3}$/

function toDevice(input: v1.Device.$Properties, index: number): ContainerDevice {
  const field = `config.devices[${index}]`
  const permissions = input.permissions ?? ''
  if (!devicePermissions.test(permissions)) {
    throw invalid(`${field}.permissions is not made of r, w and m: "${permissions}"`)
  }
  return {
    containerPath: plainText(input.containerPath, `${field}.container_path`),
    hostPath: requiredText(input.hostPath, `${field}.host_path`),
    permissions,
  }
}
