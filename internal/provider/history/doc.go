// Package history is the data source switchback_history: what was done to an
// application.
package history
