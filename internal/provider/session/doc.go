// Package session is one run of the provider: what Configure makes, and every
// resource, data source and action works with. It has the connections and the
// engine, checks clusters before the first write, and remembers what the resources
// of a run plan to do to each other. It knows no resource.
package session
