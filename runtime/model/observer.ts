import type { Timing } from '#base/timed'

/** What an object that something is done to is. */
export type ObservedObject = 'pod' | 'container'

/**
 * Hears what the engine did, at the moment when it is done; for metrics. Its functions return at once and never throw.
 */
export interface EngineObserver {
  /** A CNI plugin ran to its end. Plugin is the name of its file. */
  pluginRan(run: Timing & { readonly plugin: string; readonly command: string }): void
  /** An OCI runtime did something, or failed to. */
  runtimeRan(run: Timing & { readonly operation: string }): void
  /** Callers that share a pull are one. */
  pullBegan(): void
  pullEnded(timing: Timing): void
  /** A layer came whole from a registry; its compressed size. */
  layerDownloaded(bytes: number): void
  /** A container ended, for one of the reasons of ExitStatus. */
  containerExited(reason: string): void
  /** A pod or container went on to its next stage, or came to rest. */
  stageLeft(step: { readonly object: ObservedObject; readonly stage: string; readonly ms: number }): void
}

/** One that nobody listens to. */
export const silentObserver: EngineObserver = {
  pluginRan: () => undefined,
  runtimeRan: () => undefined,
  pullBegan: () => undefined,
  pullEnded: () => undefined,
  layerDownloaded: () => undefined,
  containerExited: () => undefined,
  stageLeft: () => undefined,
}
