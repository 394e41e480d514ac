package testcluster_test

import (
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

func TestTestsAtOnceFollowFromTheMachine(t *testing.T) {
	t.Parallel()
	const gigabyte = 1 << 30
	for _, c := range []struct {
		cores              int
		memory             int64
		programs, parallel int
	}{
		{1, 12, 1, 6},
		{2, 12, 2, 12},
		{4, 12, 4, 4}, // memory is what limits it
		{16, 12, 4, 4},
		{2, 4, 1, 1}, // too little for several at once
	} {
		m := testcluster.Machine{Cores: c.cores, Memory: c.memory * gigabyte}
		if p, n := m.Programs(), m.Parallel(); p != c.programs || n != c.parallel {
			t.Errorf("%d cores and %d GB run %d programs with %d tests at once, want %d and %d", c.cores, c.memory, p, n, c.programs, c.parallel)
		}
	}
	if m := testcluster.ThisMachine(); m.Cores < 1 || m.Memory < 1 || m.Memory > 12*gigabyte {
		t.Errorf("this machine is %+v", m)
	}
}
