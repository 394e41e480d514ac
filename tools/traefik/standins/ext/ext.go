// Package ext stands in for a module that upstream has inside of its own, and that
// is not published. Both types are empty there, too.
package ext

// HTTP is embedded in dynamic.HTTPConfiguration.
type HTTP struct{}

// Router is embedded in dynamic.Router.
type Router struct{}
