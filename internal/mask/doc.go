// Package mask makes texts from elsewhere fit to be shown: [Clean] takes out
// what would move a terminal, [Redact] masks what looks like a credential, too.
// Whatever a cluster, a plugin or a registry says goes through it, whatever way
// it is told.
package mask
