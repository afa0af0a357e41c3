import type { LinuxResources } from '../model/linux.ts'

const nothing: LinuxResources = {
  cpuPeriodUs: 0,
  cpuQuotaUs: 0,
  cpuShares: 0,
  memoryLimitBytes: 0,
  memorySwapLimitBytes: 0,
  oomScoreAdj: 0,
  cpusetCpus: '',
  cpusetMems: '',
  hugepageLimits: [],
  unified: {},
}

/** What is in force after an update: 0, "" and what is not named stay as they are, lists are merged by name. */
export function mergeResources(current: LinuxResources | undefined, change: LinuxResources): LinuxResources {
  const base = current ?? nothing
  return {
    cpuPeriodUs: change.cpuPeriodUs || base.cpuPeriodUs,
    cpuQuotaUs: change.cpuQuotaUs || base.cpuQuotaUs,
    cpuShares: change.cpuShares || base.cpuShares,
    memoryLimitBytes: change.memoryLimitBytes || base.memoryLimitBytes,
    memorySwapLimitBytes: change.memorySwapLimitBytes || base.memorySwapLimitBytes,
    oomScoreAdj: change.oomScoreAdj || base.oomScoreAdj,
    cpusetCpus: change.cpusetCpus || base.cpusetCpus,
    cpusetMems: change.cpusetMems || base.cpusetMems,
    hugepageLimits: mergeHugepages(base.hugepageLimits, change.hugepageLimits),
    unified: { ...base.unified, ...change.unified },
  }
}

function mergeHugepages(
  current: LinuxResources['hugepageLimits'],
  change: LinuxResources['hugepageLimits'],
): LinuxResources['hugepageLimits'] {
  const limits = new Map([...current, ...change].map(limit => [limit.pageSize, limit]))
  return [...limits.values()]
}
