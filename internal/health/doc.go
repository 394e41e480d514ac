// Package health judges a release on one cluster: Kubernetes objects in, a
// Verdict and the Findings that explain it out. It is pure: it reads nothing,
// and it keeps no time.
//
// Decisions rest on what the API defines: reasons, conditions, exit codes,
// counts. Messages are quoted as evidence and never matched.
package health
