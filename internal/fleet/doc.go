// Package fleet does the same on several clusters at once, and tells how it ended
// on each.
package fleet
