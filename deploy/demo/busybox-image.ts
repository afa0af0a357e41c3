import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { RuntimeError } from '#base/errors'
import { type BuiltImage, buildImage, type ImageConfigSpec, type LayerSpec } from './image-builder.ts'
import type { LayerEntry } from './tar-writer.ts'

/** The static busybox of the distribution (Debian: busybox-static). */
export const busyboxPath = '/bin/busybox'

const searchPath = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

const passwd = `root:x:0:0:root:/root:/bin/sh
nobody:x:65534:65534:nobody:/:/bin/false
alice:x:1000:1000:Alice:/home/alice:/bin/sh
`
const group = `root:x:0:
wheel:x:10:alice
video:x:44:alice
alice:x:1000:
nogroup:x:65534:
`

export const webPage =
  '<!doctype html>\n<title>lighter</title>\n<h1>Hello from a pod that lighter runs</h1>\n'

/** busybox with all its applets as hard links, users, /tmp and a web page in /www; runs a shell. */
export async function busyboxImage(config: ImageConfigSpec = {}): Promise<BuiltImage> {
  return buildImage({
    layers: [await busyboxLayer()],
    config: { env: [searchPath], cmd: ['sh'], workingDir: '/', ...config },
  })
}

/** A web server for /www on port 80, or on the port in the environment variable PORT. */
export async function webServerImage(config: ImageConfigSpec = {}): Promise<BuiltImage> {
  return busyboxImage({
    env: [searchPath, 'PORT=80'],
    // exec: the server becomes PID 1 itself. As PID 1 it heeds a signal only if it handles it, so KILL it is.
    cmd: ['sh', '-c', 'exec httpd -f -v -p "$PORT" -h /www'],
    stopSignal: 'SIGKILL',
    exposedPorts: ['80/tcp'],
    ...config,
  })
}

/** The one layer of both images, to build others on. */
export async function busyboxLayer(): Promise<LayerSpec> {
  const [program, applets] = await Promise.all([readBusybox(), listApplets()])
  const directories = ['bin', 'dev', 'etc', 'home', 'proc', 'root', 'sys', 'usr', 'usr/bin', 'var', 'www']
  const entries: LayerEntry[] = [
    ...directories.map(path => ({ type: 'directory', path: `${path}/` }) as const),
    { type: 'directory', path: 'tmp/', mode: 0o1777 },
    { type: 'directory', path: 'home/alice/', uid: 1000, gid: 1000, mode: 0o750 },
    { type: 'file', path: 'bin/busybox', content: program, mode: 0o755 },
    ...applets
      .filter(applet => applet !== 'busybox')
      .map(
        applet => ({ type: 'hardlink', path: `bin/${applet}`, target: 'bin/busybox', mode: 0o755 }) as const,
      ),
    { type: 'symlink', path: 'usr/bin/env', target: '../../bin/env', mode: 0o777 },
    { type: 'file', path: 'etc/passwd', content: passwd },
    { type: 'file', path: 'etc/group', content: group },
    { type: 'file', path: 'www/index.html', content: webPage },
  ]
  return { entries }
}

async function readBusybox(): Promise<Buffer> {
  try {
    return await readFile(busyboxPath)
  } catch (err) {
    throw new RuntimeError('not-found', `cannot read ${busyboxPath}: install the package busybox-static`, {
      cause: err,
    })
  }
}

async function listApplets(): Promise<readonly string[]> {
  const { stdout } = await promisify(execFile)(busyboxPath, ['--list'])
  return stdout.split('\n').filter(name => /^[\w[\].-]+$/.test(name))
}
