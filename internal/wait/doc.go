// Package wait waits, with a context: for a time, or for what is to be seen in a
// watched cache. Nothing else may sleep.
package wait
