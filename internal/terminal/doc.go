// Package terminal is `kubectl switchback`: what people at a terminal see of their
// applications, without Terraform. It is thin: observe reads, release decides, and this
// shows it. It follows kubectl's rules for flags and kubeconfigs, which the provider must
// not.
package terminal
