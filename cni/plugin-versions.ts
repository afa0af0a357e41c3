import type { Ctx } from '#base/context'
import { isKind, RuntimeError } from '#base/errors'
import type { ConfList } from './conf-list.ts'
import type { Invoke } from './invoke.ts'
import { parseJsonObject, textsField } from './json.ts'
import { cniLimits } from './limits.ts'
import { findPlugin } from './plugin-path.ts'
import { type CniVersion, knownVersions, supportedVersions } from './version.ts'

/** What the installed plugins speak: VERSION runs once per binary, and again when the file has changed. */
export interface PluginVersions {
  /**
   * The newest version that the list declares and all of its plugins speak. A list that declares one version is
   * taken by its word, without running anything. Errors: `failed-precondition`, naming the plugin that does not fit.
   */
  negotiate(ctx: Ctx, list: ConfList): Promise<CniVersion>
  /** The same, but asks the plugins in any case. */
  verify(ctx: Ctx, list: ConfList): Promise<CniVersion>
}

interface PluginVersionsDeps {
  readonly binDirs: readonly string[]
  readonly invoke: Invoke
}

interface Known {
  readonly identity: string
  readonly versions: readonly CniVersion[]
}

export function createPluginVersions(deps: PluginVersionsDeps): PluginVersions {
  const known = new Map<string, Known>()

  async function ask(ctx: Ctx, type: string): Promise<readonly CniVersion[]> {
    const { path, identity } = await findPlugin(deps.binDirs, type)
    const before = known.get(path)
    if (before?.identity === identity) return before.versions
    const versions = await probe(deps.invoke, ctx, { type, path })
    if (known.size >= maxKnown) known.clear()
    known.set(path, { identity, versions })
    return versions
  }

  async function verify(ctx: Ctx, list: ConfList): Promise<CniVersion> {
    const types = [...new Set(list.plugins.map(plugin => plugin.type))]
    const spoken = await Promise.all(types.map(type => ask(ctx, type)))
    const version = list.versions.findLast(wanted => spoken.every(versions => versions.includes(wanted)))
    if (version) return version
    const newest = list.versions.at(-1) ?? '0.1.0'
    const misfit = spoken.findIndex(versions => !versions.includes(newest))
    throw new RuntimeError(
      'failed-precondition',
      `CNI plugin "${types[misfit] ?? ''}" speaks ${spoken[misfit]?.join(', ') ?? ''}, ` +
        `conf list ${list.file} wants ${list.versions.join(' or ')}: change its cniVersion or upgrade the plugin`,
    )
  }

  return {
    verify,
    async negotiate(ctx, list) {
      const [only, ...others] = list.versions
      return only !== undefined && others.length === 0 ? only : verify(ctx, list)
    },
  }
}

const maxKnown = 256

async function probe(
  invoke: Invoke,
  ctx: Ctx,
  plugin: { readonly type: string; readonly path: string },
): Promise<readonly CniVersion[]> {
  const newest = supportedVersions[supportedVersions.length - 1]
  try {
    const stdout = await invoke(ctx, {
      path: plugin.path,
      subject: `CNI plugin "${plugin.type}"`,
      command: 'VERSION',
      stdin: JSON.stringify({ cniVersion: newest }),
    })
    return knownVersions(textsField(parseJsonObject(stdout), 'supportedVersions', cniLimits.dnsEntries))
  } catch (err) {
    // VERSION came with 0.2.0; what fails it without failing to run at all is older.
    if (isKind(err, 'internal') || isKind(err, 'failed-precondition') || isKind(err, 'invalid-argument')) {
      return ['0.1.0']
    }
    throw err
  }
}
