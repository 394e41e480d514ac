// Package cluster talks to Kubernetes API servers: connections and credentials,
// reads and writes, the one retry policy, the shared watch caches, the checks
// before the first write, Events. client-go lives here and nowhere else.
//
// It knows nothing of releases or of Terraform. The engine reaches it through
// the small interfaces that internal/rollout declares.
package cluster
