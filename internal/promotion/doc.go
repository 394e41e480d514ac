// Package promotion decides how a promotion begins on a cluster, what its next step
// is, and what follows when a step does not succeed. It does no I/O and has no clock:
// package rollout looks, asks here, and acts.
package promotion
