// Package certificate stands in for asking for certificates: see package lego.
package certificate

import (
	"context"
	"errors"

	"github.com/go-acme/lego/v5/certcrypto"
)

type Resource struct {
	ID                      string
	Domains                 []string
	PrivateKey, Certificate []byte
}

type ObtainRequest struct {
	Domains, EmailAddresses  []string
	Bundle, EnableCommonName bool
	Profile, PreferredChain  string
	KeyType                  certcrypto.KeyType
}

type RenewOptions struct {
	EmailAddresses           []string
	Bundle, EnableCommonName bool
	Profile, PreferredChain  string
}

type Certifier struct{}

var errNone = errors.New("ACME is not built into this binary")

func (*Certifier) Obtain(context.Context, ObtainRequest) (*Resource, error) { return nil, errNone }
func (*Certifier) Renew(context.Context, Resource, *RenewOptions) (*Resource, error) {
	return nil, errNone
}
