import type { NodeCondition, NodeStatus } from '#engine/engine'
import type { v1 } from '#proto'

/** The two conditions that the kubelet looks at and one for people, the handlers (with "" for the default one) and the features. */
export function fromNodeStatus(status: NodeStatus): v1.StatusResponse.$Properties {
  return {
    status: {
      conditions: [
        fromCondition('RuntimeReady', status.runtime),
        fromCondition('NetworkReady', status.network),
        fromCondition('RuntimeHandlersUsable', status.handlersUsable),
      ],
    },
    runtimeHandlers: status.handlers.map(handler => ({
      name: handler.name,
      features: {
        recursiveReadOnlyMounts: handler.hasRecursiveReadOnlyMounts,
        userNamespaces: handler.hasUserNamespaces,
      },
    })),
    features: {
      supplementalGroupsPolicy: status.hasSupplementalGroupsPolicy,
      userNamespacesHostNetwork: status.handlers.some(handler => handler.hasUserNamespaces),
      mountOptions: true,
    },
  }
}

function fromCondition(type: string, condition: NodeCondition): v1.RuntimeCondition.$Properties {
  return { type, status: condition.isTrue, reason: condition.reason, message: condition.message }
}
