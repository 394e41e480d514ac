package main

import (
	"context"
	"os/exec"
	"strings"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// parts are in how many the points are dealt: each run has one of them.
const parts = 4

// pointsOf are those of the n-th run (the first is 0) of what is checked out: every fourth
// write, and the commit says which. So other commits have the others, and the same one has
// the same again.
func pointsOf(commit string, n int) testcluster.Points {
	if commit == "" {
		return testcluster.Each
	}
	last := strings.IndexByte("0123456789abcdef", commit[len(commit)-1])
	return testcluster.Part((last+n)%parts+1, parts)
}

// commit is what is checked out; empty where that cannot be told.
func commit(ctx context.Context) string {
	output, err := exec.CommandContext(ctx, "git", "rev-parse", "HEAD").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(output))
}
