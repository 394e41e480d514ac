// Package observe reads what stands on clusters, for a refresh, a plan and the data
// sources: from the shared watch caches, and live what those do not have. It writes
// nothing, and a cluster that cannot be reached is not an empty one.
package observe
