// Package provider is everything that knows Terraform: schemas, models, plans,
// the four operations of each resource, and diagnostics. It is thin: what is
// decided is in internal/release, what is done is in internal/rollout.
package provider
