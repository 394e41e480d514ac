// Package explain is the only place that turns an error into a diagnostic: a
// general summary, a detail with what, where and what to do next, and the
// attribute where one is known. The rows are in table.go.
package explain
