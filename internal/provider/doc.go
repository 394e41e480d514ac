// Package provider serves the provider: its configuration, and what it has. Everything
// that knows Terraform is below it, a directory for each noun. It is thin: what is
// decided is in internal/release, what is done is in internal/rollout.
package provider
