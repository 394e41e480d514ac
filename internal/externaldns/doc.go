// Package externaldns has the one kind of external-dns that we write: a
// DNSEndpoint, from which external-dns makes records. It is no more than the
// types, so that nothing of external-dns' own dependencies is needed.
//
// Tests hold these types against external-dns' own CustomResourceDefinition, of
// which package testcluster has a copy.
package externaldns
