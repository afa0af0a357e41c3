import assert from 'node:assert/strict'
import test from 'node:test'
import { unexpected } from './expectations.ts'
import { parseReport, type SpecOutcome } from './report.ts'

const report = JSON.stringify([
  {
    SuiteDescription: 'CRI validation',
    SpecReports: [
      { LeafNodeType: 'BeforeSuite', State: 'passed', ContainerHierarchyTexts: null, LeafNodeText: '' },
      {
        LeafNodeType: 'It',
        LeafNodeText: 'runs',
        ContainerHierarchyTexts: ['[k8s.io] Container', 'life'],
        State: 'passed',
        RunTime: 1_500_000_000,
      },
      {
        LeafNodeType: 'It',
        LeafNodeText: 'enforces',
        ContainerHierarchyTexts: ['[k8s.io] AppArmor'],
        State: 'skipped',
        RunTime: 1,
        Failure: { Message: 'AppArmor is disabled on this host' },
      },
      { LeafNodeType: 'It', LeafNodeText: 'was not chosen', State: 'skipped', Failure: { Message: '' } },
      { LeafNodeType: 'It', LeafNodeText: 'was left out', State: 'pending' },
      {
        LeafNodeType: 'It',
        LeafNodeText: 'crashes',
        State: 'panicked',
        Failure: { Message: 'nil pointer' },
      },
      { LeafNodeType: 'AfterSuite', State: 'failed', Failure: { Message: 'cannot clean up' } },
    ],
  },
])

test('a report tells how each chosen spec ended, and which step around the suite failed', () => {
  assert.deepEqual(parseReport(report), [
    {
      name: '[k8s.io] AppArmor enforces',
      state: 'skipped',
      seconds: 1e-9,
      message: 'AppArmor is disabled on this host',
    },
    { name: '[k8s.io] Container life runs', state: 'passed', seconds: 1.5, message: '' },
    { name: 'AfterSuite', state: 'failed', seconds: 0, message: 'cannot clean up' },
    { name: 'crashes', state: 'failed', seconds: 0, message: 'nil pointer' },
  ])
})

test('a report that is not one is refused', () => {
  for (const text of ['{}', '[{}]', '[{"SpecReports":[{"State":"passed"}]}]', 'no json']) {
    assert.throws(() => parseReport(text), text)
  }
})

test('failures are unexpected, and so are skipped specs but those that name what the machine lacks', () => {
  const outcome = (name: string, state: SpecOutcome['state']): SpecOutcome => ({
    name,
    state,
    seconds: 0,
    message: '',
  })
  const outcomes = [
    outcome('[k8s.io] Container life runs', 'passed'),
    outcome('[k8s.io] Container life ends', 'failed'),
    outcome('[k8s.io] AppArmor enforces', 'skipped'),
    outcome('[k8s.io] AppArmor refuses', 'failed'),
    outcome('[k8s.io] Security Context UserNamespaces', 'skipped'),
  ]
  assert.deepEqual(
    unexpected(outcomes).map(({ name }) => name),
    ['[k8s.io] Container life ends', '[k8s.io] AppArmor refuses', '[k8s.io] Security Context UserNamespaces'],
  )
})
