import assert from 'node:assert/strict'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import { projectDir } from '../harness/paths.ts'

const documents = [
  'README.md',
  'ARCHITECTURE.md',
  'SCOPE.md',
  'CRI-NOTES.md',
  'DECISIONS.md',
  'METRICS.md',
  'shim/PROTOCOL.md',
]
const pathInCode = /`((?:bin|cri|runtime|cni|nri|shim|deploy|e2e|scripts)\/[\w./-]+)`/g

test('every path that a document names exists', async t => {
  for (const document of documents) {
    await t.test(document, async () => {
      const text = await readFile(join(projectDir, document), 'utf8')
      const paths = [...text.matchAll(pathInCode)].map(match => match[1] ?? '')
      const missing: string[] = []
      for (const path of paths) {
        const isThere = await stat(join(projectDir, path)).then(
          () => true,
          () => false,
        )
        if (!isThere) missing.push(path)
      }
      assert.deepEqual(missing, [])
    })
  }
})
