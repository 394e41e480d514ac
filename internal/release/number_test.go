package release

import (
	"fmt"
	"testing"
)

func TestVerbsOfNumbers(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "0 are, 0 were", 1: "1 is, 1 was", 2: "2 are, 2 were"} {
		if got := fmt.Sprintf("%[1]d %[2]s, %[1]d %[3]s", n, Are(n), Were(int32(n))); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
