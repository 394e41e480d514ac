package faults_test

import (
	"context"
	"path/filepath"
	"sync"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcli"
)

// haste is the timing of a provider whose users do not wait for the dead as long
// as real ones, and that waits for ever where it should not wait at all: for what
// only has a limit of its own, an interrupted run must not be kept. Who competes
// with a live run, or counts what is asked, takes the provider as it is released.
const haste = "expiry=2s cleanup=1m settle=1h"

// hasty lets the workspace's provider be in haste.
func (w *workspace) hasty() *workspace {
	w.t.Helper()
	var err error
	if w.Provider, err = hastyProvider(); err != nil {
		w.t.Fatal(err)
	}
	return w
}

// hastyProvider is made once. The directory that it is in ends with the other
// provider's.
var hastyProvider = sync.OnceValues(func() (testcli.Provider, error) {
	return testcli.Build(context.Background(), filepath.Join(programs, "hasty"), testcli.Options{
		Flags: []string{"-ldflags", "-s -w -X 'main.timing=" + haste + "'"},
	})
})
