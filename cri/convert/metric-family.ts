import { v1 } from '#proto'
import { uint64Value } from './integers.ts'

/** One metric name with what it says of a subject. Names and labels are cAdvisor's, whose place these metrics take. */
export interface MetricFamily<Subject> {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge'
  /** Behind those that all metrics have. */
  readonly labels: readonly string[]
  /** Label values in the order of `labels`. None: the kernel does not have it. */
  readonly samples: (subject: Subject) => readonly MetricSample[]
}

export interface MetricSample {
  readonly labels?: readonly string[]
  /** A whole number that is not negative: the interface has no other. */
  readonly value: number | bigint
}

/** Labels of all metrics, in this order. */
export interface MetricOwner {
  readonly container: string
  /** Path of the cgroup. */
  readonly id: string
  readonly image: string
  /** Id of the container or the pod. */
  readonly name: string
  readonly namespace: string
  readonly pod: string
}

const ownerLabels = ['container', 'id', 'image', 'name', 'namespace', 'pod'] as const

export function counter<Subject>(
  name: string,
  help: string,
  value: (subject: Subject) => number | bigint,
): MetricFamily<Subject> {
  return { name, help, type: 'counter', labels: [], samples: subject => [{ value: value(subject) }] }
}

export function gauge<Subject>(
  name: string,
  help: string,
  value: (subject: Subject) => number | bigint,
): MetricFamily<Subject> {
  return { ...counter(name, help, value), type: 'gauge' }
}

export function toSeconds(ns: bigint): bigint {
  return ns / 1_000_000_000n
}

export function fromFamily(family: Omit<MetricFamily<never>, 'samples'>): v1.MetricDescriptor.$Properties {
  return { name: family.name, help: family.help, labelKeys: [...ownerLabels, ...family.labels] }
}

/**
 * What the families say of one subject. Time stamps are left out (0): the figures are of this moment, and a scraper
 * then notices by itself when a container has gone.
 */
export function fromSubject<Subject>(
  families: readonly MetricFamily<Subject>[],
  owner: MetricOwner,
  subject: Subject,
): v1.Metric.$Properties[] {
  const ownerValues = ownerLabels.map(label => owner[label])
  return families.flatMap(family =>
    family.samples(subject).map(({ labels, value }) => ({
      name: family.name,
      metricType: family.type === 'gauge' ? v1.MetricType.GAUGE : v1.MetricType.COUNTER,
      labelValues: labels ? [...ownerValues, ...labels] : ownerValues,
      value: uint64Value(value),
    })),
  )
}
