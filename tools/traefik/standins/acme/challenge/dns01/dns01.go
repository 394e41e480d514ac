// Package dns01 stands in for that proof by DNS: see package lego.
package dns01

import (
	"strings"
	"time"
)

type (
	Options         struct{ RecursiveNameservers []string }
	Client          struct{}
	ChallengeOption func()
)

func NewClient(*Options) *Client                                     { return &Client{} }
func SetDefaultClient(*Client)                                       {}
func UnFqdn(s string) string                                         { return strings.TrimSuffix(s, ".") }
func CondOptions(bool, ...ChallengeOption) ChallengeOption           { return nil }
func DisableAuthoritativeNssPropagationRequirement() ChallengeOption { return nil }
func DisableRecursiveNSsPropagationRequirement() ChallengeOption     { return nil }
func PropagationWait(time.Duration, bool) ChallengeOption            { return nil }
