// Package logs is the data source switchback_logs: what the containers of a
// deployment say.
package logs
