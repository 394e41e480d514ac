// Package bench measures how soon a failure is reported, on a real node, with
// this provider and with another: make bench-diagnosis. Here is what the
// measurement found, and the documentation's page that is made of it; the
// measurement itself has the build tag bench. It also measures how soon the weights of
// a route are in effect: make bench-canary. It is no test of speed, which is
// the machine's, and fails only where something is wrong.
package bench
