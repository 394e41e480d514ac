package session

import (
	"testing"
)

func TestIntentsOfOneRunAreCompared(t *testing.T) {
	i := newIntents()
	if i.Point("shop/api", "shop/api-1") || i.Stop("shop/api-2", true) != "" {
		t.Error("another deployment is stopped than main points at")
	}
	if !i.Point("shop/api", "shop/api-2") {
		t.Error("main points at what is stopped")
	}
	if i.Stop("shop/api-2", false) != "" || i.Point("shop/api", "shop/api-2") {
		t.Error("it is started again")
	}
	if got := i.Stop("shop/api-2", true); got != "shop/api" {
		t.Errorf("it is the target of %q", got)
	}
	if i.Point("shop/api", "") || i.Stop("shop/api-2", true) != "" {
		t.Error("main is gone")
	}
}
