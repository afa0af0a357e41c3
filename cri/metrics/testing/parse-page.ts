/** One metric of a page in Prometheus' text format. */
export interface Family {
  readonly type: string
  readonly help: string
  /** Names of all labels, without the `le` of buckets. */
  readonly labels: ReadonlySet<string>
  /** By name and labels, as they are written. Buckets are left out. */
  readonly samples: ReadonlyMap<string, number>
}

/** Reads a page. Throws on a line that is none of the format. */
export function parsePage(text: string): ReadonlyMap<string, Family> {
  const families = new Map<string, Family>()
  let help = ''
  let current: { readonly labels: Set<string>; readonly samples: Map<string, number> } | undefined
  for (const line of text.split('\n')) {
    const [, key = '', name = '', rest = ''] = /^# (HELP|TYPE) (\w+) (.*)$/.exec(line) ?? []
    if (line === '') continue
    if (key === 'HELP') help = rest
    else if (key === 'TYPE') {
      if (families.has(name)) throw new Error(`${name} is there twice`)
      const labels = new Set<string>()
      const samples = new Map<string, number>()
      current = { labels, samples }
      families.set(name, { type: rest, help, labels, samples })
    } else if (current) readSample(line, current)
  }
  return families
}

function readSample(
  line: string,
  { labels, samples }: { readonly labels: Set<string>; readonly samples: Map<string, number> },
): void {
  const [, name, pairs = '', value] = /^(\w+)(\{.*\})? (\S+)$/.exec(line) ?? []
  if (name === undefined) throw new Error(`not a sample: ${line}`)
  for (const [, label = ''] of pairs.matchAll(/(\w+)="/g)) if (label !== 'le') labels.add(label)
  if (!name.endsWith('_bucket')) samples.set(`${name}${pairs}`, Number(value))
}
