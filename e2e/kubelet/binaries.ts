import { join } from 'node:path'
import { pathExists } from '#base/files'
import { projectDir } from '../harness/paths.ts'

const names = [
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kubectl',
  'kubelet',
] as const
type KubeBinary = (typeof names)[number]

/** Where scripts/setup.sh --test puts the programs of e2e/tools/kube, unless LIGHTER_KUBE_BIN names a directory. */
const directory = process.env['LIGHTER_KUBE_BIN'] ?? join(projectDir, '.cache', 'kube')

export function kubeBinary(name: KubeBinary): string {
  return join(directory, name)
}

/** Why no kubelet can be run here, as the reason of a skipped test; false if one can. */
export async function whyNoKube(): Promise<string | false> {
  for (const name of names) {
    if (!(await pathExists(kubeBinary(name)))) {
      return (await hasGo())
        ? `${kubeBinary(name)} has not been built: run scripts/setup.sh --test`
        : 'machine cannot: Go is not installed'
    }
  }
  return false
}

async function hasGo(): Promise<boolean> {
  const found = (process.env['PATH'] ?? '').split(':').map(dir => pathExists(join(dir, 'go')))
  return (await Promise.all(found)).includes(true)
}
