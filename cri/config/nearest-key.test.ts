import assert from 'node:assert/strict'
import { test } from 'node:test'
import { editDistance, nearestKey } from './nearest-key.ts'

test('the nearest key is a sibling, or the same name elsewhere', () => {
  const table: [string[], string][] = [
    [['stat'], 'state'],
    [['limits', 'layerDownload'], 'limits.layerDownloads'],
    [['layerDownloads'], 'limits.layerDownloads'],
    [['cni', 'certsDir'], 'registries.certsDir'],
    [['cni', 'bindirs'], 'cni.binDirs'],
    [['log', 'lvl'], 'log.level'],
    [['runtimes', 'handlers', 'kata', 'Path'], 'runtimes.handlers.kata.path'],
    [['runtimes', 'handler'], 'runtimes.handlers'],
  ]
  for (const [path, expected] of table) assert.equal(nearestKey(path), expected, path.join('.'))
})

test('the distance counts insertions, deletions and replacements', () => {
  const table: [string, string, number][] = [
    ['', '', 0],
    ['', 'abc', 3],
    ['abc', '', 3],
    ['kitten', 'sitting', 3],
    ['root', 'rot', 1],
    ['root', 'toor', 2],
  ]
  for (const [from, to, distance] of table) assert.equal(editDistance(from, to), distance)
})
