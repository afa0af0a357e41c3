import type { CaseResult, Figure } from './sheet.ts'
import { isMoreBetter } from './sheet.ts'
import { summarize } from './statistics.ts'
import { formatNumber, unique } from './table.ts'

const size = {
  width: 960,
  margin: 16,
  label: 340,
  value: 130,
  bar: 12,
  gap: 2,
  group: 10,
  heading: 34,
} as const
/** Enough for a run; more subjects begin again. */
const colours = ['#0b7285', '#e8590c', '#5f3dc4', '#868e96', '#2b8a3e', '#c2255c'] as const
const plotWidth = size.width - 2 * size.margin - size.label - size.value

/**
 * A plot of a run: for each metric one bar for each subject as long as its median, with a thin line up to its p95.
 * Each metric has a scale of its own, since units differ.
 */
export function renderSvg(results: readonly CaseResult[], title: string): string {
  const subjects = unique(results.flatMap(result => result.figures.map(figure => figure.subject)))
  const parts: string[] = []
  let y = size.margin
  const line = (text: string, style: string) => {
    y += size.heading
    parts.push(`<text x="${size.margin}" y="${y - 10}" ${style}>${escape(text)}</text>`)
  }
  line(title, 'font-size="16" font-weight="bold"')
  parts.push(legend(subjects, y))
  y += size.heading / 2
  for (const { name, title: caseTitle, figures } of results) {
    if (figures.length === 0) continue
    line(`${name}: ${caseTitle}`, 'font-size="14" font-weight="bold"')
    for (const metric of unique(figures.map(figure => figure.metric))) {
      const group = figures.filter(figure => figure.metric === metric)
      parts.push(bars(group, subjects, y))
      y += group.length * (size.bar + size.gap) + size.group
    }
  }
  const height = y + size.margin
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${size.width}" height="${height}"`,
    ` viewBox="0 0 ${size.width} ${height}" font-family="sans-serif" font-size="11">\n`,
    `<rect width="100%" height="100%" fill="white"/>\n${parts.join('\n')}\n</svg>\n`,
  ].join('')
}

function legend(subjects: readonly string[], y: number): string {
  return subjects
    .map((subject, at) => {
      const x = size.margin + at * 150
      return `<rect x="${x}" y="${y - 6}" width="10" height="10" fill="${colourOf(at)}"/><text x="${x + 14}" y="${y + 3}">${escape(subject)}</text>`
    })
    .join('')
}

function bars(group: readonly Figure[], subjects: readonly string[], top: number): string {
  const summaries = group.map(figure => summarize(figure.samples))
  const longest = Math.max(...summaries.map(({ p95 }) => p95).filter(Number.isFinite), Number.MIN_VALUE)
  const x = size.margin + size.label
  const unit = group[0]?.unit ?? 'ms'
  const label = `${group[0]?.metric ?? ''}, ${unit}${isMoreBetter(unit) ? ' ▲' : ''}`
  const drawn = group.map((figure, at) => {
    const { median = 0, p95 = 0 } = summaries[at] ?? {}
    const y = top + at * (size.bar + size.gap)
    const scaled = (value: number) => (Number.isFinite(value) ? (value / longest) * plotWidth : 0).toFixed(1)
    const middle = y + size.bar / 2
    return [
      `<rect x="${x}" y="${y}" width="${scaled(median)}" height="${size.bar}" fill="${colourOf(subjects.indexOf(figure.subject))}"/>`,
      `<line x1="${x}" x2="${x + Number(scaled(p95))}" y1="${middle}" y2="${middle}" stroke="black"/>`,
      `<text x="${x + plotWidth + 6}" y="${y + size.bar - 2}">${formatNumber(median)} / ${formatNumber(p95)}</text>`,
    ].join('')
  })
  return `<text x="${size.margin}" y="${top + size.bar - 2}">${escape(label)}</text>${drawn.join('')}`
}

function colourOf(at: number): string {
  return colours[at % colours.length] ?? colours[0]
}

function escape(text: string): string {
  return text.replace(/[&<>"]/g, character => `&#${character.charCodeAt(0)};`)
}
