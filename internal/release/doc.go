// Package release holds the decisions of Switchback as pure functions: what a
// release is, what its content is called, who owns it, which action is allowed
// in which status, what a promotion may collect.
//
// Nothing here does I/O, reads a clock or knows Terraform or Kubernetes
// clients. Everything that surrounds it (the engine in internal/rollout, the
// Terraform glue in internal/provider) asks this package what to do next.
package release
