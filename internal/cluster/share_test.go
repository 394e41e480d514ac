package cluster

import (
	"context"
	"testing"
)

// TestShareAsksNothingTwice: between a look at what is known and the flight, the
// flight of others may have ended.
func TestShareAsksNothingTwice(t *testing.T) {
	t.Parallel()
	var (
		c     = Cluster{ctx: t.Context()}
		looks int
	)
	known := func() (bool, error) {
		looks++
		return looks > 1, nil
	}
	err := c.share(t.Context(), "x", known, func(context.Context) error {
		t.Error("asked what had become known")
		return nil
	})
	if err != nil || looks != 2 {
		t.Errorf("%d looks, %v", looks, err)
	}
}
