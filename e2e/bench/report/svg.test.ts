import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createSheet } from './sheet.ts'
import { renderSvg } from './svg.ts'

function draw(metric = 'exec') {
  const sheet = createSheet()
  for (const value of [10, 10, 20]) sheet.add('lighter', { metric, unit: 'ms', value })
  sheet.add('peer', { metric, unit: 'ms', value: 5 })
  return renderSvg([{ name: 'x', title: 'a case', figures: sheet.figures(), notes: [] }], 'a run')
}

describe('renderSvg', () => {
  it('draws a bar for each subject in proportion to its median, in one colour each', () => {
    const widths = [...draw().matchAll(/width="([\d.]+)" height="12" fill="(#\w+)"/g)]
    const [one, two] = widths
    assert.equal(widths.length, 2)
    assert.ok(Math.abs(Number(one?.[1]) / Number(two?.[1]) - 2) < 0.01)
    assert.notEqual(one?.[2], two?.[2])
  })

  it('writes what comes from outside as text only', () => {
    const svg = draw('<script>alert("&")</script>')
    assert.ok(!svg.includes('<script'))
    assert.ok(svg.includes('&#60;script&#62;alert(&#34;&#38;&#34;)'))
  })

  it('is as high as what it shows', () => {
    const height = Number(/height="(\d+)"/.exec(draw())?.[1])
    const lowest = Math.max(...[...draw().matchAll(/ y="([\d.]+)"/g)].map(match => Number(match[1])))
    assert.ok(height > lowest && height < lowest + 60)
  })

  it('can draw nothing, and figures without a value', () => {
    assert.match(renderSvg([], 'a run'), /^<svg [\s\S]+<\/svg>\n$/)
    const figures = [{ metric: 'm', unit: 'ms', subject: 'a', samples: [] }] as const
    assert.ok(!renderSvg([{ name: 'x', title: 't', figures, notes: [] }], 'a run').includes('NaN'))
  })
})
