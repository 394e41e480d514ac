package testnode

import (
	"context"
	"io"

	"github.com/switchback-dev/terraform-provider-switchback/internal/devtools"
)

// programs are the paths of what is built for a cluster.
type programs struct {
	Devcluster string
	Devnode    string
	Images     string
	App        string
}

// Build builds what a cluster needs and is not built yet. What happens, and how
// long it takes, is told on log.
func Build(ctx context.Context, log io.Writer) error {
	_, err := build(ctx, log)
	return err
}

func build(ctx context.Context, log io.Writer) (programs, error) {
	ctx, cancel := context.WithTimeout(ctx, buildTimeout)
	defer cancel()
	var p programs
	for tool, path := range map[*devtools.Tool]*string{
		&devtools.Devcluster: &p.Devcluster,
		&devtools.Devnode:    &p.Devnode,
		&devtools.Images:     &p.Images,
		&devtools.App:        &p.App,
	} {
		var err error
		if *path, err = tool.Build(ctx, log); err != nil {
			return p, err
		}
	}
	return p, nil
}
