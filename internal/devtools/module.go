package devtools

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// ModuleDir is where the source of a module is, in the version that this
// repository depends on.
func ModuleDir(ctx context.Context, module string) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	command := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module)
	command.Dir = root
	output, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("find the module %s: %w", module, err)
	}
	return strings.TrimSpace(string(output)), nil
}
