package testcli

import (
	"testing"
	"time"
)

func TestTimesOfAProcess(t *testing.T) {
	t.Parallel()
	const fields = " S 1 42 42 0 -1 4194560 2000 0 10 0 150 50 7 7 20 0 9 0 1234"
	for stat, want := range map[string]time.Duration{
		"42 (terraform)" + fields:   2 * time.Second,
		"42 (a) S 9 9 (b)" + fields: 2 * time.Second, // a name may have anything in it
		"42 (terraform) S 1":        0,
		"":                          0,
	} {
		if got := cpuOf([]byte(stat)); got != want {
			t.Errorf("%q: %s, want %s", stat, got, want)
		}
	}
}
