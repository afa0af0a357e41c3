import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defaultConfig } from './defaults.ts'
import { socketPathOf, toEngineConfig } from './engine-config.ts'
import { merge } from './load.ts'

const plainHandler = {
  isPrivilegedWithoutHostDevices: false,
  allowedAnnotations: [],
  hooksDir: '',
  hasDevicesOfUser: false,
}

test('the engine gets its part of the configuration', () => {
  const config = merge(defaultConfig, { runtimes: { default: 'kata', handlers: { kata: { path: '/k' } } } })
  assert.deepEqual(toEngineConfig(config, '/programs'), {
    rootDir: '/var/lib/lighter',
    stateDir: '/run/lighter',
    programsDir: '/programs',
    cniConfDir: '/etc/cni/net.d',
    cniBinDirs: ['/opt/cni/bin', '/usr/lib/cni'],
    registries: { certsDir: '/etc/lighter/certs.d', insecureHosts: [] },
    runtimeHandlers: [
      { name: 'runc', path: 'runc', ...plainHandler },
      { name: 'kata', path: '/k', ...plainHandler },
    ],
    defaultRuntimeHandler: 'kata',
    cdiSpecDirs: ['/etc/cdi', '/var/run/cdi'],
    criuPath: 'criu',
    restoresImages: false,
    cgroupDriver: 'auto',
    limits: defaultConfig.limits,
  })
})

test('the socket is the path of listen', () => {
  assert.equal(socketPathOf(defaultConfig), '/run/lighter/lighter.sock')
})
