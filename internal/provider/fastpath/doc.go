// Package fastpath answers the questions of Terraform's that have no news in them,
// without the plugin framework's work: a plan that changes nothing, a configuration
// that was found valid before, a state of today's form, a refresh that finds what
// the state has. Whatever is not certain to be such a question goes to the
// framework, so that an answer is the same either way; random tests compare them.
//
// It knows Terraform's protocol, and none of the provider's resources: these say
// for themselves what leaves them unchanged.
package fastpath
