import { type CaseResult, type Figure, isMoreBetter } from './sheet.ts'
import { quantile, summarize } from './statistics.ts'

/**
 * One case as text: a line for each metric, a column with `median / p95` for each subject, and behind them how the
 * first subject compares with each other one (its median divided by theirs).
 */
export function renderCase({ name, title, figures, notes, failure }: CaseResult): string {
  const subjects = unique(figures.map(figure => figure.subject))
  const [first = '', ...others] = subjects
  const header = ['', ...subjects, ...others.map(other => `${first} / ${other}`)]
  const rows = unique(figures.map(figure => figure.metric)).map(metric => {
    const of = (subject: string) =>
      figures.find(figure => figure.metric === metric && figure.subject === subject)
    const unit = figures.find(figure => figure.metric === metric)?.unit ?? 'ms'
    const label = `${metric}, ${unit}${isMoreBetter(unit) ? ' (more is better)' : ''}`
    return [label, ...subjects.map(one => cell(of(one))), ...others.map(other => ratio(of(first), of(other)))]
  })
  return [
    `${name}: ${title}; median / p95`,
    ...(rows.length > 0 ? [renderTable([header, ...rows])] : []),
    ...notes.map(note => `  note: ${note}`),
    ...(failure === undefined ? [] : [`  FAILED: ${failure}`]),
  ].join('\n')
}

/** Columns as wide as they must be; the first one is flush left, the others right. */
export function renderTable(rows: readonly (readonly string[])[]): string {
  const columns = Math.max(...rows.map(row => row.length))
  const widths = Array.from({ length: columns }, (_, at) =>
    Math.max(...rows.map(row => (row[at] ?? '').length)),
  )
  return rows
    .map(row =>
      widths
        .map((width, at) => (at === 0 ? (row[at] ?? '').padEnd(width) : (row[at] ?? '').padStart(width)))
        .join('  ')
        .trimEnd(),
    )
    .map(line => `  ${line}`)
    .join('\n')
}

/** Three figures that count, no exponent. */
export function formatNumber(value: number): string {
  if (Number.isNaN(value)) return '-'
  const size = Math.abs(value)
  const digits = size >= 100 || size === 0 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3
  return value.toFixed(digits)
}

function cell(figure: Figure | undefined): string {
  if (!figure) return '-'
  const { median, p95 } = summarize(figure.samples)
  return `${formatNumber(median)} / ${formatNumber(p95)}`
}

function ratio(figure: Figure | undefined, other: Figure | undefined): string {
  if (!figure || !other) return '-'
  const value = quantile(figure.samples, 0.5) / quantile(other.samples, 0.5)
  return Number.isFinite(value) ? value.toFixed(2) : '-'
}

export function unique(values: readonly string[]): readonly string[] {
  return [...new Set(values)]
}
