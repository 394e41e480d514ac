// Package rollout is the engine: one file per verb (deploy, terminate, promote,
// …) over small interfaces to a cluster. It observes, asks package release what
// the next step is, performs it, and waits on watch events until it is done or
// its context ends. It knows nothing of Terraform.
package rollout
