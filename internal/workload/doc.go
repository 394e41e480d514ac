// Package workload turns a release's spec into Kubernetes objects and back: it
// renders the Deployment and the Service, judges a spec before anything is
// written (Validate, Advice), rebuilds a spec from a live Deployment
// (FromDeployment), and tells what somebody else changed (Baseline, Drift).
//
// Everything here is a pure function of its arguments: no I/O, no clock.
package workload
