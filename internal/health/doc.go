// Package health judges a release on one cluster: Kubernetes objects in, a
// Verdict and the Findings that explain it out. It is pure: it reads nothing,
// and it keeps no time.
//
// Decisions rest on what the API defines: reasons, conditions, exit codes,
// counts. Where only the text of a message tells, as with what a registry
// answered, one table for each subject has the texts, tested on real ones; a text
// that is in none makes the finding less particular, and never a failure.
package health
