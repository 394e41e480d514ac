// Package challenge stands in for the proof that a name is one's own: see package lego.
package challenge

import "context"

type Provider interface {
	Present(ctx context.Context, domain, token, keyAuth string) error
	CleanUp(ctx context.Context, domain, token, keyAuth string) error
}
