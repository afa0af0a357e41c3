import { readFile } from 'node:fs/promises'
import { busyboxPath } from '../../deploy/demo/busybox-image.ts'
import type { LayerSpec } from '../../deploy/demo/image-builder.ts'

/** Programs that the upstream image has and Debian's busybox has not. */
const scripts = {
  pgrep: `#!/bin/sh
for process in /proc/[0-9]*; do
	read -r name 2>/dev/null <"$process/comm" || continue
	if [ "$name" = "$1" ]; then echo "\${process#/proc/}" && found=yes; fi
done
[ -n "$found" ]
`,
  ipcs: `#!/bin/sh
# -m: shared memory segments
exec cat /proc/sysvipc/shm
`,
} as const

const passwd = `root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
www-data:x:33:33:www-data:/var/www:/bin/false
default-user:x:1000:1000:Linux User:/home/default-user:/bin/sh
nobody:x:65534:65534:nobody:/home:/bin/false
`
/** `default-user` is in a group that only the image knows: the specs of supplemental groups ask for it. */
const group = `root:x:0:
daemon:x:1:
www-data:x:33:
default-user:x:1000:
group-defined-in-image:x:50000:default-user
nogroup:x:65534:
`

/** Goes on top of the layer with busybox: what else the upstream test images have. */
export async function shellLayer(): Promise<LayerSpec> {
  const shell = withoutApplet(await readFile(busyboxPath), { name: 'ls', replacement: 'lr' })
  return {
    entries: [
      { type: 'file', path: 'bin/sh', content: shell, mode: 0o755 },
      ...Object.entries(scripts).map(
        ([name, content]) => ({ type: 'file', path: `bin/${name}`, content, mode: 0o755 }) as const,
      ),
      { type: 'file', path: 'etc/passwd', content: passwd },
      { type: 'file', path: 'etc/group', content: group },
      { type: 'directory', path: 'home/default-user/', uid: 1000, gid: 1000 },
      ...['mnt', 'var/run', 'var/lib', 'usr/sbin'].map(
        path => ({ type: 'directory', path: `${path}/` }) as const,
      ),
    ],
  }
}

/**
 * Debian's busybox runs its applets inside the shell, without looking at the files in /bin, so that a masked
 * /bin/ls still works in it. In the copy that is /bin/sh the name of one applet is another one, which keeps the order
 * of the table that the shell searches.
 */
function withoutApplet(
  program: Buffer,
  { name, replacement }: { readonly name: string; readonly replacement: string },
): Buffer {
  const entry = Buffer.from(`\0${name}\0`)
  const place = program.indexOf(entry)
  if (place < 0 || program.indexOf(entry, place + 1) >= 0) {
    throw new Error(`${busyboxPath}: the name of the applet ${name} is not there exactly once`)
  }
  const copy = Buffer.from(program)
  copy.write(replacement, place + 1, 'latin1')
  return copy
}
