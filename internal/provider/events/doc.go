// Package events is the data source switchback_events: what a cluster says about a
// deployment.
package events
