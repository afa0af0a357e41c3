import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { replaceCapturedHostname } from './captured-hostname.ts'

/** As CRIU 4.2 writes it for the hostname "pod1". */
const image = Buffer.from('19435654033247540e0000000a04706f64311206286e6f6e6529', 'hex')

test('the captured hostname is replaced, in the form that CRIU reads', async t => {
  const images = await mkdtemp(join(tmpdir(), 'hostname-'))
  t.after(() => rm(images, { recursive: true, force: true }))
  await writeFile(join(images, 'utsns-12.img'), image)
  await writeFile(join(images, 'core-1.img'), 'other')
  await replaceCapturedHostname(images, 'pod1')
  assert.deepEqual(await readFile(join(images, 'utsns-12.img')), image)
  await replaceCapturedHostname(images, 'another')
  const changed = await readFile(join(images, 'utsns-12.img'))
  assert.deepEqual(changed.subarray(0, 8), image.subarray(0, 8))
  assert.equal(changed.readUInt32LE(8), changed.length - 12)
  assert.equal(changed.subarray(12).toString('latin1'), '\n\x07another\x12\x06(none)')
  assert.equal(await readFile(join(images, 'core-1.img'), 'utf8'), 'other')
})

test('what is no image of CRIU is refused', async t => {
  const images = await mkdtemp(join(tmpdir(), 'hostname-'))
  t.after(() => rm(images, { recursive: true, force: true }))
  await writeFile(join(images, 'utsns-1.img'), 'short')
  await assert.rejects(replaceCapturedHostname(images, 'x'), { kind: 'invalid-argument' })
})
