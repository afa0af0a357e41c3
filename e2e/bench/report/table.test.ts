import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createSheet } from './sheet.ts'
import { formatNumber, renderCase, renderTable } from './table.ts'

describe('renderTable', () => {
  it('makes columns as wide as their widest cell, the first flush left', () => {
    const text = renderTable([
      ['', 'one', 'two'],
      ['long name', '1', '22222'],
    ])
    assert.equal(text, '             one    two\n  long name    1  22222')
  })

  it('takes rows that are shorter than others', () => {
    assert.equal(renderTable([['a'], ['b', 'c']]), '  a\n  b  c')
  })
})

describe('formatNumber', () => {
  const table: readonly (readonly [number, string])[] = [
    [0, '0'],
    [0.01234, '0.012'],
    [1.234, '1.23'],
    [12.34, '12.3'],
    [123.4, '123'],
    [123456, '123456'],
    [NaN, '-'],
  ]
  for (const [value, text] of table) {
    it(`writes ${value} as ${text}`, () => {
      assert.equal(formatNumber(value), text)
    })
  }
})

describe('renderCase', () => {
  it('shows median and p95 of each subject, and ratios of the first to all others', () => {
    const sheet = createSheet()
    for (const value of [1, 2, 3]) sheet.add('lighter', { metric: 'exec', unit: 'ms', value })
    for (const value of [4, 4, 4]) sheet.add('peer', { metric: 'exec', unit: 'ms', value })
    sheet.add('lighter', { metric: 'started', unit: 'pods/s', value: 10 })
    sheet.note('a loaded machine')
    const text = renderCase({ name: 'x', title: 'a case', figures: sheet.figures(), notes: sheet.notes() })
    assert.deepEqual(text.split('\n'), [
      'x: a case; median / p95',
      '                                        lighter         peer  lighter / peer',
      '  exec, ms                          2.00 / 2.90  4.00 / 4.00            0.50',
      '  started, pods/s (more is better)  10.0 / 10.0            -               -',
      '  note: a loaded machine',
    ])
  })

  it('shows what failed, also when there is no figure', () => {
    const text = renderCase({ name: 'x', title: 'a case', figures: [], notes: [], failure: 'no disk' })
    assert.equal(text, 'x: a case; median / p95\n  FAILED: no disk')
  })

  it('has no ratio to nothing', () => {
    const sheet = createSheet()
    sheet.add('a', { metric: 'm', unit: 'ms', value: 1 })
    sheet.add('b', { metric: 'm', unit: 'ms', value: 0 })
    const text = renderCase({ name: 'x', title: 't', figures: sheet.figures(), notes: [] })
    assert.match(text, / -$/m)
  })
})
