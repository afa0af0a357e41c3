import type { Ctx } from '#base/context'
import type { Timing } from '#base/timed'

/** One attachment of a network namespace to the networks of the default conf list (CNI spec, "Parameters"). */
export interface Attachment {
  /** CNI_CONTAINERID. */
  readonly containerId: string
  /**
   * CNI_NETNS; "" in DEL: that of ADD, if it is still there. DEL before the namespace goes if possible: bridge needs
   * it to find its masquerade rules.
   */
  readonly netnsPath: string
  /** CNI_ARGS, such as K8S_POD_NAME; IgnoreUnknown=1 is added to any. */
  readonly args: Readonly<Record<string, string>>
  /** runtimeConfig values by capability name, such as portMappings; a plugin gets those it declares. */
  readonly capabilities: Readonly<Record<string, unknown>>
}

export interface AttachmentResult {
  /** Addresses without prefix length: first the primary one. */
  readonly ips: readonly string[]
}

export interface NetworkCondition {
  readonly isReady: boolean
  /** One sentence for people; "" when ready. */
  readonly message: string
}

/**
 * CNI as lighter needs it; the interface name is eth0. Implemented by createNetwork in cni.ts. A caller whose `ctx` is
 * aborted is answered at once, but a plugin that runs is not killed: calls for the same container wait for it.
 */
export interface Network {
  /** Reads and watches the conf directory. */
  start(): Promise<void>
  /** Waits a while for plugins that run, so that they are not cut off with the process that spawned them. */
  stop(): Promise<void>
  /**
   * ADD of the whole chain. The config is cached before the first plugin runs, the result after the last, so that
   * del works after a restart and after a half-done ADD. Errors: `unavailable` without a conf list; otherwise the
   * plugin's own message, naming the plugin.
   */
  add(ctx: Ctx, attachment: Attachment): Promise<AttachmentResult>
  /** DEL of the chain, backwards, with the cached config and result; forgets the cache only when all succeeded. */
  del(ctx: Ctx, attachment: Attachment): Promise<void>
  check(ctx: Ctx, attachment: Attachment): Promise<void>
  /** True if del has something to do. */
  isAttached(containerId: string): boolean
  /** Ids for which a cache exists. */
  attachedIds(): readonly string[]
  /** Never blocks: what the last look at the conf directory (and STATUS, spec 1.1) said. */
  condition(): NetworkCondition
}

/** One plugin ran to its end, or could not. */
export interface PluginRun extends Timing {
  /** Name of its file. */
  readonly plugin: string
  /** CNI_COMMAND. */
  readonly command: string
}

/** Network with what recovery needs besides. */
export interface NetworkService extends Network {
  /**
   * DEL of every attachment whose id is not among the valid ones, then GC of the conf list where it speaks spec 1.1;
   * ADD and DEL wait meanwhile. Everything is tried; errors: one with all messages, what failed stays attached.
   */
  gc(ctx: Ctx, validIds: ReadonlySet<string>): Promise<void>
}
