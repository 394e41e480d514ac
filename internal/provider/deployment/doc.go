// Package deployment is switchback_deployment: one immutable version of an
// application. It has the resource, with its plan, its state and its checks; the data
// sources and the list that find deployments; the actions on one; and the functions
// that name one, and its version.
package deployment
