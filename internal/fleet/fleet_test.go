package fleet

import (
	"errors"
	"slices"
	"testing"
)

type named string

func (n named) Name() string { return string(n) }

func TestByName(t *testing.T) {
	t.Parallel()
	clusters := []named{"west", "east"}
	if got := ByName(clusters); !slices.Equal(got, []named{"east", "west"}) || clusters[0] != "west" {
		t.Errorf("%v, of %v", got, clusters)
	}
}

// TestAll: each has its place, whoever ends first, and none ends with another.
func TestAll(t *testing.T) {
	t.Parallel()
	last := make(chan struct{})
	odd := errors.New("odd")
	got, err := Each(3, func(i int) (int, error) {
		if i < 2 {
			<-last // at once, or it hangs
		} else {
			close(last)
		}
		if i == 1 {
			return 0, odd
		}
		return 10 * i, nil
	})
	if !slices.Equal(got, []int{0, 0, 20}) || !errors.Is(err, odd) {
		t.Errorf("%v, %v", got, err)
	}
}
