// Package plantest is for tests of planning. It runs the framework's own server,
// without a CLI and without clusters: what is planned, which paths force a
// replacement, which diagnostics come at which attribute.
package plantest
