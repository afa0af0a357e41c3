/** What a URL stands for, as the client asked for it. */
export type StreamRequest = ProcessRequest | ForwardRequest

export type ProcessRequest = (
  | { readonly kind: 'exec'; readonly command: readonly string[] }
  | { readonly kind: 'attach' }
) & {
  /** Whole id. */
  readonly containerId: string
  readonly hasTty: boolean
  readonly hasStdin: boolean
  readonly hasStdout: boolean
  readonly hasStderr: boolean
}

export interface ForwardRequest {
  readonly kind: 'portforward'
  /** Whole id. */
  readonly podId: string
  /** Those that may be forwarded; empty: all. */
  readonly ports: readonly number[]
}
