import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { parseOptions } from '../options.ts'
import { createSheet } from './sheet.ts'
import { writeResults } from './write-results.ts'

test('results are one JSON with every sample and one plot, named by their date', async t => {
  const dir = await mkdtemp(join(tmpdir(), 'lighter-results-'))
  t.after(() => rm(dir, { recursive: true, force: true }))
  const sheet = createSheet()
  for (const value of [3, 1, 2]) sheet.add('lighter', { metric: 'exec', unit: 'ms', value })
  const paths = await writeResults(join(dir, 'new'), {
    environment: {
      ...{
        date: '2026-01-02T03:04:05.678Z',
        kernel: '6',
        cpu: '2 x some',
        memoryGigabytes: 4,
        cgroups: 'v2',
      },
      ...{ runc: 'runc 1', node: 'v20', loadBefore: 0.5, subjects: { lighter: 'lighter 1' } },
    },
    options: parseOptions([], []),
    results: [{ name: 'x', title: 'a case', figures: sheet.figures(), notes: [] }],
  })
  const names = ['2026-01-02T03-04-05.json', '2026-01-02T03-04-05.svg'].map(name => join(dir, 'new', name))
  assert.deepEqual(paths, names)
  const [json = '', svg = ''] = await Promise.all(paths.map(path => readFile(path, 'utf8')))
  const { results, environment } = JSON.parse(json) as { results: unknown; environment: { kernel: string } }
  assert.equal(environment.kernel, '6')
  const samples = { samples: [3, 1, 2], count: 3, median: 2, p95: 2.9, least: 1 }
  assert.deepEqual(results, [
    {
      ...{ name: 'x', title: 'a case', notes: [] },
      figures: [{ metric: 'exec', unit: 'ms', subject: 'lighter', ...samples }],
    },
  ])
  assert.match(svg, /^<svg /)
})
