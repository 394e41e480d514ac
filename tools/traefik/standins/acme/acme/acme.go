// Package acme stands in for the accounts of an ACME server: see package lego.
package acme

type Account struct {
	Status  string   `json:"status,omitempty"`
	Contact []string `json:"contact,omitempty"`
}

type ExtendedAccount struct {
	Account
	Location string `json:"-"`
}
