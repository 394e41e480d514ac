// Package cost measures what plans and applies cost, with this provider and with
// others: make bench. Here is what the measurement found, and the documentation's
// page that is made of it; the measurement itself has the build tag bench. It is no
// test of speed, which is the machine's, and fails only where something is wrong.
package cost
