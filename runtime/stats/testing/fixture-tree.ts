import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { TestContext } from 'node:test'
import type { CgroupLayout } from '../../host/cgroups.ts'

/** A directory that looks like the cgroup file systems of a machine; goes when the test ends. */
export interface FixtureTree {
  readonly root: string
  /** Files by path below the root; their directories are made. */
  write(files: Readonly<Record<string, string>>): Promise<void>
  layout(kind: 'v1' | 'hybrid' | 'v2'): CgroupLayout
}

const legacyControllers = ['cpu', 'cpuacct', 'memory', 'pids', 'blkio', 'hugetlb']
const unifiedControllers = ['cpu', 'memory', 'pids', 'io', 'hugetlb']

export async function makeFixtureTree(t: TestContext): Promise<FixtureTree> {
  const root = await mkdtemp(join(tmpdir(), 'lighter-stats-'))
  t.after(() => rm(root, { recursive: true, force: true }))
  return {
    root,
    async write(files) {
      for (const [name, text] of Object.entries(files)) {
        await mkdir(dirname(join(root, name)), { recursive: true })
        await writeFile(join(root, name), text)
      }
    },
    layout: kind => ({
      version: kind === 'v2' ? 2 : 1,
      driver: 'cgroupfs',
      controllers:
        kind === 'v2'
          ? Object.fromEntries(unifiedControllers.map(name => [name, root]))
          : Object.fromEntries(legacyControllers.map(name => [name, join(root, name)])),
      unified: { v1: undefined, hybrid: join(root, 'unified'), v2: root }[kind],
      hasSwapAccounting: true,
    }),
  }
}

/** Every file of one busy container as the kernel writes it with cgroup v2 (Linux 6.1), below `path`. */
export function unifiedFiles(path: string): Readonly<Record<string, string>> {
  const files = {
    'cpu.stat':
      'usage_usec 2500000\nuser_usec 1500000\nsystem_usec 1000000\nnr_periods 40\nnr_throttled 12\nthrottled_usec 3400000\nnr_bursts 0\nburst_usec 0\n',
    'cpu.pressure':
      'some avg10=12.50 avg60=3.25 avg300=1.00 total=7654321\nfull avg10=10.00 avg60=2.00 avg300=0.50 total=1234567\n',
    'memory.current': '50331648\n',
    'memory.max': '67108864\n',
    'memory.min': '1048576\n',
    'memory.peak': '60000000\n',
    'memory.stat':
      'anon 20971520\nfile 16777216\nkernel 2097152\nkernel_stack 65536\npagetables 131072\nshmem 4096\nfile_mapped 8388608\nfile_dirty 0\ninactive_anon 20000000\nactive_anon 971520\ninactive_file 4194304\nactive_file 12582912\nunevictable 0\npgfault 123456\npgmajfault 78\n',
    'memory.events': 'low 0\nhigh 0\nmax 25\noom 2\noom_kill 1\noom_group_kill 0\n',
    'memory.swap.current': '1048576\n',
    'memory.swap.max': '4194304\n',
    'memory.pressure':
      'some avg10=0.00 avg60=0.00 avg300=0.00 total=2000000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=1000000\n',
    'io.stat':
      '8:16 rbytes=1459200 wbytes=314773504 rios=192 wios=353 dbytes=0 dios=0\n7:0 \n8:0 rbytes=90430464 wbytes=299008000 rios=8950 wios=1252 dbytes=50331648 dios=3021\n',
    'io.pressure':
      'some avg10=0.10 avg60=0.20 avg300=0.30 total=5000000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=4000000\n',
    'pids.current': '7\n',
    'pids.max': '100\n',
    'hugetlb.2MB.current': '4194304\n',
    'hugetlb.1GB.current': '0\n',
  }
  return Object.fromEntries(Object.entries(files).map(([name, text]) => [`${path}/${name}`, text]))
}

/** The same with cgroup v1 (Linux 6.1). */
export function legacyFiles(path: string): Readonly<Record<string, string>> {
  const files = {
    'cpuacct.usage': '9007199254740993123\n',
    'cpuacct.usage_user': '1500000000\n',
    'cpuacct.usage_sys': '1000000000\n',
    'cpu.stat': 'nr_periods 40\nnr_throttled 12\nthrottled_time 3400000000\nnr_bursts 0\nburst_time 0\n',
    'memory.usage_in_bytes': '50331648\n',
    'memory.limit_in_bytes': '67108864\n',
    'memory.memsw.limit_in_bytes': '71303168\n',
    'memory.soft_limit_in_bytes': '9223372036854771712\n',
    'memory.kmem.usage_in_bytes': '2097152\n',
    'memory.max_usage_in_bytes': '60000000\n',
    'memory.failcnt': '25\n',
    'memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\noom_kill 1\n',
    'memory.stat':
      'cache 1\nrss 2\nmapped_file 3\nswap 4\npgfault 5\npgmajfault 6\ninactive_file 7\nhierarchical_memory_limit 67108864\ntotal_cache 16777216\ntotal_rss 20971520\ntotal_mapped_file 8388608\ntotal_swap 1048576\ntotal_pgfault 123456\ntotal_pgmajfault 78\ntotal_inactive_file 4194304\ntotal_active_file 12582912\n',
    'pids.current': '7\n',
    'pids.max': 'max\n',
    'blkio.throttle.io_service_bytes_recursive':
      '8:0 Read 90430464\n8:0 Write 299008000\n8:0 Sync 200000000\n8:0 Async 189438464\n8:0 Discard 0\n8:0 Total 389438464\nTotal 389438464\n',
    'blkio.throttle.io_serviced_recursive':
      '8:0 Read 8950\n8:0 Write 1252\n8:0 Sync 9000\n8:0 Async 1202\n8:0 Discard 0\n8:0 Total 10202\nTotal 10202\n',
    'hugetlb.2MB.usage_in_bytes': '4194304\n',
    'hugetlb.2MB.max_usage_in_bytes': '6291456\n',
  }
  return Object.fromEntries(
    Object.entries(files).map(([name, text]) => [`${name.split('.')[0] ?? ''}/${path}/${name}`, text]),
  )
}
