//go:build !linux

package main

import (
	"context"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testnode"
)

const (
	holdVerb    = "hold"
	gatewayWord = "with-gateway"
)

// Elsewhere there is nothing to start: Check says what there is instead.

func up(context.Context, string, bool) error   { return testnode.Check() }
func down(context.Context, string) error       { return testnode.Check() }
func hold(context.Context, string, bool) error { return testnode.Check() }
