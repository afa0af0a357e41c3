import { RuntimeError } from '#base/errors'
import type { ExecSession, ExecSpec, ShimSpec, ShimState, Shims, ShimWatch } from '#shim/shim'

/** A shim that does what a test tells it; found by the path of its socket. */
export interface FakeShim {
  readonly spec: ShimSpec | undefined
  readonly signals: readonly number[]
  /** Tells all watchers; an end also closes their connections when `goes` is not false. */
  tell(state: ShimState, goes?: boolean): void
  /** Breaks the connections of the watchers without a word. */
  breakWatches(): void
  /** Nothing listens any more. */
  vanish(): void
}

export interface FakeShims extends Shims {
  at(socketPath: string): FakeShim
  /** Called for each signal; the default does nothing. */
  onKill: (shim: FakeShim, signal: number) => void
  /** Called when a shim is launched; the default tells that the container runs. */
  onLaunch: (shim: FakeShim, spec: ShimSpec) => void
  onExec: (spec: ExecSpec) => ExecSession
}

interface Listener {
  readonly tell: (state: ShimState) => void
  readonly lose: () => void
}

export function createFakeShims(): FakeShims {
  const shims = new Map<string, ReturnType<typeof createFakeShim>>()

  function listening(socketPath: string): ReturnType<typeof createFakeShim> {
    const shim = shims.get(socketPath)
    if (!shim?.isThere()) throw new RuntimeError('not-found', `nothing listens on ${socketPath}`)
    return shim
  }

  const fake: FakeShims = {
    onKill: () => undefined,
    onLaunch: shim => {
      shim.tell({ kind: 'running', pid: 4711 })
    },
    onExec: () => {
      throw new RuntimeError('failed-precondition', 'this fake executes nothing')
    },
    at(socketPath) {
      const shim = shims.get(socketPath) ?? createFakeShim(undefined)
      shims.set(socketPath, shim)
      return shim
    },
    launch(_ctx, spec) {
      const shim = createFakeShim(spec)
      shims.set(spec.socketPath, shim)
      fake.onLaunch(shim, spec)
      return Promise.resolve()
    },
    async watch(_ctx, socketPath) {
      await Promise.resolve()
      return listening(socketPath).watch()
    },
    async kill(_ctx, socketPath, signal) {
      await Promise.resolve()
      const shim = listening(socketPath)
      shim.signals.push(signal)
      fake.onKill(shim, signal)
      return true
    },
    async exec(_ctx, socketPath, spec) {
      await Promise.resolve()
      listening(socketPath)
      return fake.onExec(spec)
    },
    async attach(_ctx, socketPath) {
      await Promise.resolve()
      listening(socketPath)
      throw new RuntimeError('failed-precondition', 'this fake attaches nobody')
    },
    async reopenLog(_ctx, socketPath) {
      await Promise.resolve()
      listening(socketPath)
    },
    async resize(_ctx, socketPath) {
      await Promise.resolve()
      listening(socketPath)
    },
  }
  return fake
}

function createFakeShim(
  spec: ShimSpec | undefined,
): FakeShim & { readonly signals: number[]; watch(): ShimWatch; isThere(): boolean } {
  let state: ShimState = { kind: 'creating' }
  let isThere = true
  const listeners = new Set<Listener>()
  return {
    spec,
    signals: [],
    isThere: () => isThere,
    tell(next, goes = true) {
      state = next
      for (const listener of listeners) listener.tell(next)
      if (isEnd(next) && goes) this.vanish()
    },
    breakWatches() {
      for (const listener of listeners) listener.lose()
      listeners.clear()
    },
    vanish() {
      isThere = false
      this.breakWatches()
    },
    watch: () => createWatch(state, listeners),
  }
}

function createWatch(state: ShimState, listeners: Set<Listener>): ShimWatch {
  const started = settleable<ShimState>()
  const ended = settleable<ShimState | undefined>()
  const gone = settleable<undefined>()
  started.promise.catch(() => undefined)
  const listener: Listener = {
    tell(next) {
      if (next.kind !== 'creating') started.resolve(next)
      if (isEnd(next)) ended.resolve(next)
    },
    lose() {
      started.reject(new RuntimeError('unavailable', 'the shim went away'))
      ended.resolve(undefined)
      gone.resolve(undefined)
    },
  }
  listeners.add(listener)
  listener.tell(state)
  return { started: started.promise, ended: ended.promise, gone: gone.promise, close: listener.lose }
}

interface Settleable<T> {
  readonly promise: Promise<T>
  resolve(value: T): void
  reject(err: Error): void
}

function settleable<T>(): Settleable<T> {
  let settle: Pick<Settleable<T>, 'resolve' | 'reject'> | undefined
  const promise = new Promise<T>((resolve, reject) => {
    settle = { resolve, reject }
  })
  return { promise, resolve: value => settle?.resolve(value), reject: err => settle?.reject(err) }
}

function isEnd(state: ShimState): boolean {
  return state.kind === 'exited' || state.kind === 'failed'
}
