// Package registration stands in for making an account: see package lego.
package registration

import (
	"context"
	"errors"

	"github.com/go-acme/lego/v5/acme"
)

type (
	RegisterOptions    struct{ TermsOfServiceAgreed bool }
	RegisterEABOptions struct {
		TermsOfServiceAgreed bool
		Kid, HmacEncoded     string
	}
	Registrar struct{}
)

var errNone = errors.New("ACME is not built into this binary")

func (*Registrar) Register(context.Context, RegisterOptions) (*acme.ExtendedAccount, error) {
	return nil, errNone
}

func (*Registrar) RegisterWithExternalAccountBinding(context.Context, RegisterEABOptions) (*acme.ExtendedAccount, error) {
	return nil, errNone
}
