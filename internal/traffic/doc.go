// Package traffic moves an application's traffic between releases. A Router is
// one thing that can: a Service's selector today, gateways and meshes later.
// Routers hold no policy: which split is wanted, and when it is safe, is decided
// by internal/rollout.
package traffic
