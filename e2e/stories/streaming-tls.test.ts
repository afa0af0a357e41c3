import assert from 'node:assert/strict'
import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import { createCrictl, whyNoCrictl } from '../harness/crictl.ts'
import { runProgram } from '../harness/program.ts'
import type { Scratch } from '../harness/scratch.ts'
import { type Story, useWorld } from '../harness/world.ts'

const skip = await whyNoCrictl()

const story = useWorld({
  async prepare(scratch) {
    await makeCertificate(scratch, 'server')
    await makeCertificate(scratch, 'client')
    const path = join(scratch.dir, 'tls.yaml')
    const [certFile, keyFile] = [file(scratch, 'server.crt'), file(scratch, 'server.key')]
    const tls = { certFile, keyFile, clientCaFile: file(scratch, 'client.crt') }
    await writeFile(path, `streaming: {tls: ${JSON.stringify(tls)}}\n`)
    return ['--config', path]
  },
})

function file({ dir }: Scratch, name: string): string {
  return join(dir, name)
}

/** NAME.crt and NAME.key, signed by itself. */
async function makeCertificate(scratch: Scratch, name: string): Promise<void> {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=DNS:localhost', '-days', '1']
  const files = ['-keyout', file(scratch, `${name}.key`), '-out', file(scratch, `${name}.crt`)]
  const { exitCode, stderr } = await runProgram(['openssl', 'req', '-x509', ...key, ...subject, ...files])
  assert.equal(exitCode, 0, stderr)
}

/** What `echo hello` in the container says to a client that trusts a certificate, and shows one. */
async function hello(
  s: Story,
  id: string,
  { trusted, own = 'client' }: { readonly trusted: string; readonly own?: string },
): Promise<string> {
  const crictl = await createCrictl(s.scratch)
  const identity = ['--tls-cert', file(s.scratch, `${own}.crt`), '--tls-key', file(s.scratch, `${own}.key`)]
  const tls = ['--tls-ca', file(s.scratch, trusted), ...identity]
  return (await crictl.attempt('exec', ...tls, id, 'echo', 'hello')).stdout
}

test(
  'clients that trust the certificate are served, also after it was renewed; others are not',
  { skip },
  story(async s => {
    const id = await s.run(await s.runPod())
    await makeCertificate(s.scratch, 'next')
    await runProgram(['cp', file(s.scratch, 'server.crt'), file(s.scratch, 'first.crt')])
    assert.equal(await hello(s, id, { trusted: 'first.crt' }), 'hello\n')
    assert.equal(await hello(s, id, { trusted: 'next.crt' }), '')
    assert.equal(
      await hello(s, id, { trusted: 'first.crt', own: 'next' }),
      '',
      'the server knows the client only',
    )
    await runProgram(['cp', file(s.scratch, 'next.crt'), file(s.scratch, 'trusted.crt')])
    await rename(file(s.scratch, 'next.crt'), file(s.scratch, 'server.crt'))
    await rename(file(s.scratch, 'next.key'), file(s.scratch, 'server.key'))
    assert.equal(await hello(s, id, { trusted: 'trusted.crt' }), 'hello\n')
    assert.equal(await hello(s, id, { trusted: 'first.crt' }), '')
  }),
)
