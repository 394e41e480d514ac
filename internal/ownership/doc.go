// Package ownership says who may change what, and keeps it said in the cluster. It
// alone writes:
//
//   - a release's record, with the token of whose it is and the heartbeat of who is
//     at work on it ([Claim]);
//   - an application's Lease, under which its traffic is moved and its releases are
//     removed ([Keeper.Locked]);
//   - an application's ConfigMap, with the pointer to what is main and the history
//     ([Keeper.SaveMain], [Keeper.Remember]).
//
// A process that slept, or was cut off, may have lost any of these without knowing
// it. So what is done under a Lease or for a claim goes through a [Cluster] that
// writes nothing once that is somebody else's, and the context of the work ends.
//
// The package knows none of the verbs: neither what is done to a release, nor what
// is told of it.
package ownership
