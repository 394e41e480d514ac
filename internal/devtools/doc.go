// Package devtools builds, once, the programs that tests and development need
// and that cannot be dependencies of the provider: a Kubernetes control plane, an
// OpenTofu, a gateway. Each lives in a module of its own below tools/.
//
// What was built is kept in the user's cache directory under a name made of
// everything that went into it, so that asking again costs milliseconds, in
// any checkout, until a source changes.
package devtools
