// Package logs makes sense of what containers write: how bad a line is, which
// lines are asked for, and what many containers wrote as one log. It is pure: who
// reads the logs is package rollout.
package logs
