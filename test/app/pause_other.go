//go:build !unix

package main

// pause has nothing to keep here.
func pause() {}
