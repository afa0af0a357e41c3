import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import test from 'node:test'
import { nativeProgram, startHost } from './testing/host-fixture.ts'

test('lighter-accept becomes the program, with its caller as fd 3 and the environment of the launch', async t => {
  const { host, ctx, directory } = await startHost(t)
  const socketPath = join(directory, 's')
  const script = 'exec 1>&3; echo "$GREETING $0"; cat <&3'
  const pid = await host.launch(ctx, {
    argv: [nativeProgram('lighter-accept'), '/bin/sh', '-c', script, 'me'],
    env: ['GREETING=hello', 'PATH=/usr/bin:/bin'],
    socketPath,
    stderrPath: '/dev/null',
  })
  assert.equal((await readFile(`/proc/${pid}/comm`, 'utf8')).trim(), 'lighter-accept')
  const socket = connect(socketPath)
  socket.end('and back')
  let text = ''
  for await (const chunk of socket) text += String(chunk)
  assert.equal(text, 'hello me\nand back')
})

test('lighter-accept says how it is called, and which program it cannot become', async t => {
  const { host, ctx, directory } = await startHost(t)
  const accept = nativeProgram('lighter-accept')
  const usage = await host.run(ctx, { argv: [accept], env: [], timeoutMs: 5_000 })
  assert.equal(usage.exitCode, 2)
  assert.match(usage.stderr.toString(), /^usage: lighter-accept PROGRAM/)
  const socketPath = join(directory, 's')
  const stderrPath = join(directory, 'log')
  const program = { argv: [accept, '/no/such'], env: [], socketPath, stderrPath }
  await host.launch(ctx, program)
  const socket = connect(socketPath)
  socket.resume()
  await new Promise(resolve => socket.once('close', resolve))
  assert.match(await readFile(stderrPath, 'utf8'), /^lighter-accept: \/no\/such: No such file or directory$/m)
})
