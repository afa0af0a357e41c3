import { chmod, cp, mkdir, readFile, realpath, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathExists } from '#base/files'
import { cacheBinDir, projectDir } from '../harness/paths.ts'
import { mustRun } from '../harness/program.ts'

export interface JobOptions {
  /** Of the tests' names; "": all. */
  readonly filter: string
  /** Specs of critest that are run after the suite; "": none. */
  readonly critest: string
  readonly timeoutSeconds: number
}

/** How much slower than this machine the emulated one is. */
const guestSlowness = 4

/** What of the project runs in the guest. */
const parts = ['bin', 'build', 'deploy/systemd', 'dist', 'generated', 'package.json']

/**
 * Writes the archive that the guest unpacks into its root: the built project, the packages that it needs at run
 * time, this Node.js, crictl if it is there, and /job/run.
 */
export async function packJob(workDir: string, archive: string, options: JobOptions): Promise<void> {
  const job = join(workDir, 'job')
  const project = join(job, 'project')
  for (const directory of [
    join(job, 'node', 'bin'),
    join(project, '.cache', 'bin'),
    join(project, 'deploy'),
  ]) {
    await mkdir(directory, { recursive: true })
  }
  await cp(await realpath(process.execPath), join(job, 'node', 'bin', 'node'))
  for (const part of [...parts, ...(await packagesAtRunTime())]) {
    await cp(join(projectDir, part), join(project, part), { recursive: true, verbatimSymlinks: true })
  }
  for (const tool of options.critest === '' ? ['crictl'] : ['crictl', 'critest', 'ginkgo']) {
    const path = join(cacheBinDir, tool)
    if (await pathExists(path)) await cp(path, join(project, '.cache', 'bin', tool))
  }
  await writeFile(join(job, 'run'), runScript(options))
  await chmod(job, 0o755)
  await mustRun([
    'tar',
    '-cf',
    archive,
    '--exclude=*.map',
    '--exclude=*.d.ts',
    '--exclude=*.o',
    '-C',
    workDir,
    'job',
  ])
}

interface Lock {
  readonly packages: Readonly<Record<string, { readonly dev?: boolean; readonly devOptional?: boolean }>>
}

async function packagesAtRunTime(): Promise<readonly string[]> {
  const lock = JSON.parse(await readFile(join(projectDir, 'package-lock.json'), 'utf8')) as Lock
  const names = Object.entries(lock.packages)
    .filter(([path, { dev, devOptional }]) => path !== '' && dev !== true && devOptional !== true)
    .map(([path]) => path)
  const found = await Promise.all(names.map(name => pathExists(join(projectDir, name))))
  return names.filter((_, index) => found[index])
}

/** $RESULTS is the directory that comes back. The swap file is there so that swap is limited and counted. */
function runScript({ filter, critest, timeoutSeconds }: JobOptions): string {
  const quoted = (text: string): string => `'${text.replaceAll("'", '.')}'`
  const pattern = filter === '' ? '' : ` --test-name-pattern=${quoted(filter)}`
  return `set -u
export E2E_SLOWNESS=${String(guestSlowness)} HOME=/root
dd if=/dev/zero of=/swap bs=1M count=64 2>/dev/null && chmod 600 /swap && mkswap -q /swap && swapon /swap
mount -t tmpfs -o mode=1777 tmpfs /tmp 2>/dev/null
for name in overlay bridge veth br_netfilter; do modprobe $name 2>/dev/null; done
sysctl -qw net.ipv4.ip_forward=1
cd /job/project
echo "guest: $(uname -r), $(runc --version | head -1), node $(node --version), cgroups $(stat -fc %T /sys/fs/cgroup)"
timeout -k 10 ${String(timeoutSeconds)} node${pattern} \\
  --test-reporter=tap --test-reporter-destination=stdout \\
  --test-reporter=tap --test-reporter-destination=$RESULTS/smoke.tap build/e2e/vm/smoke/main.js
code=$?
${critest === '' ? '' : critestScript(quoted(critest))}
exit $code
`
}

/** The suite loads profiles of its own through sudo, which root does not need. */
function critestScript(focus: string): string {
  return `printf '#!/bin/sh\\nexec "$@"\\n' >/usr/local/bin/sudo && chmod +x /usr/local/bin/sudo
node build/e2e/critest/main.js --focus ${focus} --keep $RESULTS/critest || code=$?`
}
