import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { namespace } from '../api.ts'
import type { ClusterStory, Stories } from '../cluster.ts'
import { type Container, shell } from '../manifests.ts'

export const volumes: Stories = [
  ['files of ConfigMaps, Secrets, tokens and the downward API are there, with the right modes', apiVolumes],
  ['emptyDir is shared, also in memory; hostPath and subPath show what they should', dataVolumes],
]

const configMap = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'settings', namespace },
  data: { color: 'green', shape: 'round' },
}
const secret = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'hidden', namespace },
  stringData: { password: 'sesame' },
}

async function apiVolumes(s: ClusterStory): Promise<void> {
  await s.create(configMap, secret)
  const main = s.make.container('main', {
    command: shell(
      [
        'cat /config/color; echo; cat /secret/password; echo; stat -L -c %a /secret/password',
        'echo $COLOR $PASSWORD; cat /all/labels; echo; cat /all/color; echo',
        'wc -c < /all/token | grep -q "^[0-9]\\{3,\\}$" && echo token',
        'cat /one; echo; (echo x > /config/color) 2>&1 | grep -o "Read-only file system"',
      ].join('\n'),
    ),
    env: [
      { name: 'COLOR', valueFrom: { configMapKeyRef: { name: 'settings', key: 'color' } } },
      { name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'hidden', key: 'password' } } },
    ],
    volumeMounts: [
      { name: 'config', mountPath: '/config' },
      { name: 'secret', mountPath: '/secret', readOnly: true },
      { name: 'all', mountPath: '/all' },
      { name: 'config', mountPath: '/one', subPath: 'shape' },
    ],
  })
  const pod = s.make.pod(
    'reads-api',
    {
      restartPolicy: 'Never',
      containers: [main],
      volumes: [
        { name: 'config', configMap: { name: 'settings' } },
        { name: 'secret', secret: { secretName: 'hidden', defaultMode: 0o400 } },
        {
          name: 'all',
          projected: {
            sources: [
              { serviceAccountToken: { path: 'token', expirationSeconds: 3600 } },
              { configMap: { name: 'settings' } },
              { downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } },
            ],
          },
        },
      ],
    },
    { who: 'me' },
  )
  await s.create(pod)
  await ended(s, 'reads-api')
  const expected = [
    ...['green', 'sesame', '400', 'green sesame', 'who="me"', 'green', 'token', 'round'],
    'Read-only file system',
  ]
  assert.deepEqual((await s.api.log('reads-api')).trim().split('\n'), expected)
}

async function dataVolumes(s: ClusterStory): Promise<void> {
  const path = join(s.world.scratch.dir, 'data')
  await mkdir(join(path, 'inner'), { recursive: true })
  await writeFile(join(path, 'inner', 'file'), 'from the host')
  const writer = s.make.container('writer', {
    command: shell('echo shared > /disk/file; echo fast > /memory/file; chmod 600 /memory/file'),
    volumeMounts: [
      { name: 'disk', mountPath: '/disk' },
      { name: 'memory', mountPath: '/memory' },
    ],
  })
  const reader: Container = s.make.container('main', {
    command: shell(
      [
        'cat /disk/file /memory/file; cat /inner/file; echo; ls /deep',
        "grep -c ' /memory tmpfs ' /proc/mounts",
        'df -k /memory | awk "NR==2 {print \\$2}"',
        'echo back > /inner/answer; (echo x > /fixed/inner/x) 2>&1 | grep -o "Read-only file system"',
        'id -G | tr " " "\\n" | grep -x 2000; stat -c %g /disk',
      ].join('\n'),
    ),
    volumeMounts: [
      { name: 'disk', mountPath: '/disk' },
      { name: 'memory', mountPath: '/memory' },
      { name: 'host', mountPath: '/inner', subPath: 'inner' },
      { name: 'host', mountPath: '/fixed', readOnly: true, recursiveReadOnly: 'IfPossible' },
      { name: 'disk', mountPath: '/deep', subPathExpr: 'made/$(NAME)' },
    ],
    env: [{ name: 'NAME', value: 'here' }],
  })
  await s.create(
    s.make.pod('reads-data', {
      restartPolicy: 'Never',
      securityContext: { fsGroup: 2000 },
      initContainers: [writer],
      containers: [reader],
      volumes: [
        { name: 'disk', emptyDir: {} },
        { name: 'memory', emptyDir: { medium: 'Memory', sizeLimit: '8Mi' } },
        { name: 'host', hostPath: { path, type: 'Directory' } },
      ],
    }),
  )
  await ended(s, 'reads-data')
  const expected = ['shared', 'fast', 'from the host', '1', '8192', 'Read-only file system', '2000', '2000']
  assert.deepEqual((await s.api.log('reads-data')).trim().split('\n'), expected)
  assert.equal(await readFile(join(path, 'inner', 'answer'), 'utf8'), 'back\n')
}

async function ended(s: ClusterStory, name: string): Promise<void> {
  await s.api.podWhen(name, 'has ended', ({ status }) => /Succeeded|Failed/.test(status?.phase ?? ''))
}
