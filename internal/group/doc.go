// Package group promotes several applications as one: wave by wave, all ready
// before the first moves, and back together when one of them fails. What is to
// be done is decided in package release; each application's own part is a
// promotion of package rollout.
package group
