import type { V1Pod } from '@kubernetes/client-node'
import { insecureGet } from './https.ts'
import type { Kubelet } from './kubelet.ts'

/** The kubelet's own API, as the API server uses it. */
export interface KubeletApi {
  /** Body of the answer; anything but 200 is an error. */
  get(path: string): Promise<string>
  pod(name: string): Promise<V1Pod | undefined>
}

export function kubeletApi(kubelet: () => Kubelet): KubeletApi {
  const get = async (path: string): Promise<string> => {
    const { status, body } = await insecureGet(`${kubelet().url}${path}`)
    if (status !== 200) throw new Error(`${path} answered ${String(status)}: ${body}`)
    return body
  }
  return {
    get,
    async pod(name) {
      const { items } = JSON.parse(await get('/pods')) as { readonly items: readonly V1Pod[] | null }
      return items?.find(pod => pod.metadata?.name === name)
    },
  }
}
