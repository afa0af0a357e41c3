import { join } from 'node:path'

/** The project's own folder; this file runs from build/e2e/harness. */
export const projectDir = join(import.meta.dirname, '..', '..', '..')
export const lighterdPath = join(projectDir, 'bin', 'lighterd')
export const lighterPath = join(projectDir, 'bin', 'lighter')
/** Programs that scripts/setup.sh --test builds. */
export const cacheBinDir = join(projectDir, '.cache', 'bin')
export const crictlPath = join(cacheBinDir, 'crictl')
export const prometheusPath = join(cacheBinDir, 'prometheus')
export const promtoolPath = join(cacheBinDir, 'promtool')
/** Where distributions put the CNI plugins, in the order of lighterd's default. */
export const cniBinDirs = ['/opt/cni/bin', '/usr/lib/cni'] as const
