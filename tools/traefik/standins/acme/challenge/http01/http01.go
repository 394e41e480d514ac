// Package http01 stands in for that proof by HTTP: see package lego.
package http01

import "time"

const PathPrefix = "/.well-known/acme-challenge/"

type Option func()

func SetDelay(time.Duration) Option { return nil }
