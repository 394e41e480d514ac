package fleet

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
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

func TestFailed(t *testing.T) {
	t.Parallel()
	failed := Failed([]string{"a", "b", "c"}, func(name string) error {
		if name == "b" {
			return errors.New(name)
		}
		return nil
	})
	if len(failed) != 1 || failed["b"] == nil {
		t.Errorf("%v", failed)
	}
}

func TestBatches(t *testing.T) {
	t.Parallel()
	got := Batches(release.Rollout{MaxParallel: 2, Order: []string{"west"}}, []named{"east", "north", "west"}, named.Name)
	if want := "[[west east] [north]]"; fmt.Sprint(got) != want {
		t.Errorf("%v, want %s", got, want)
	}
}

// TestVerdict: what has failed is told by name, where the change does not go on.
func TestVerdict(t *testing.T) {
	t.Parallel()
	failed := map[string]error{"west": errors.New("late"), "east": errors.New("away")}
	if err := Verdict(release.Rollout{}, failed, 3); err == nil || err.Error() != "away\nlate" {
		t.Errorf("it ends with %v", err)
	}
	for quorum, ends := range map[int]bool{0: false, 1: false, 2: true} {
		if err := Verdict(release.Rollout{OnFailure: release.FailureContinue, Quorum: quorum}, failed, 3); (err != nil) != ends {
			t.Errorf("with a quorum of %d it ends with %v", quorum, err)
		}
	}
	if err := Verdict(release.Rollout{}, nil, 3); err != nil {
		t.Errorf("nothing has failed: %v", err)
	}
}
