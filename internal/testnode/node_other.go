//go:build !linux

package testnode

import "context"

// node is what Linux only has: Check says so before it is missed.
type node struct {
	layout layout
	failed chan error
}

func startNode(context.Context, programs, Options) (*node, error) { return nil, Check() }

// Sweep finds nothing here.
func Sweep(context.Context) error { return nil }

func (n *node) pid() int                { return 0 }
func (n *node) stop() error             { return nil }
func (n *node) explain(err error) error { return err }

func (n *node) killProgram(context.Context, string) error  { return Check() }
func (n *node) startProgram(context.Context, string) error { return Check() }
func (n *node) endProgram(context.Context, string) error   { return Check() }
func (n *node) startGateway(context.Context) error         { return Check() }
func (n *node) reboot(context.Context) error               { return Check() }
