package devtools

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// CLI is a Terraform or an OpenTofu.
type CLI struct {
	Path    string // absolute
	Tofu    bool   // OpenTofu, not Terraform
	Version string // such as 1.12.6
}

// TerraformPathEnv names the CLI to use in tests, before all others. It is
// what terraform-plugin-testing reads too.
const TerraformPathEnv = "TF_ACC_TERRAFORM_PATH"

// The oldest CLI that can run this provider.
const minMajor, minMinor = 1, 8

// TerraformCLI finds the CLI for acceptance tests: the one TF_ACC_TERRAFORM_PATH
// names, or else a terraform or tofu on the PATH that is not too old, or else
// an OpenTofu that is built now.
func TerraformCLI(ctx context.Context, log io.Writer) (CLI, error) {
	if path := os.Getenv(TerraformPathEnv); path != "" {
		return inspect(ctx, path)
	}
	if cli, err := installed(ctx, "terraform"); err == nil {
		return cli, nil
	}
	return TofuCLI(ctx, log)
}

// TofuCLI finds an OpenTofu: on the PATH, or else built now.
func TofuCLI(ctx context.Context, log io.Writer) (CLI, error) {
	if cli, err := installed(ctx, "tofu"); err == nil {
		return cli, nil
	}
	path, err := OpenTofu.Build(ctx, log)
	if err != nil {
		return CLI{}, err
	}
	return inspect(ctx, path)
}

// installed finds a CLI on the PATH.
func installed(ctx context.Context, name string) (CLI, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return CLI{}, err
	}
	return inspect(ctx, path)
}

// inspect asks a CLI what it is.
func inspect(ctx context.Context, path string) (CLI, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return CLI{}, err
	}
	command := exec.CommandContext(ctx, path, "version")
	command.Env = append(os.Environ(), "CHECKPOINT_DISABLE=1", "TF_CLI_CONFIG_FILE="+os.DevNull)
	output, err := command.Output()
	if err != nil {
		return CLI{}, fmt.Errorf("%s version: %w", path, err)
	}
	cli, err := parseVersion(string(output))
	if err != nil {
		return CLI{}, fmt.Errorf("%s version: %w", path, err)
	}
	cli.Path = path
	return cli, nil
}

// parseVersion reads the first line of "terraform version": the JSON form does
// not tell Terraform from OpenTofu.
func parseVersion(output string) (CLI, error) {
	line, _, _ := strings.Cut(strings.TrimSpace(output), "\n")
	product, version, found := strings.Cut(strings.TrimSpace(line), " v")
	cli := CLI{Tofu: product == "OpenTofu", Version: version}
	if !found || !cli.Tofu && product != "Terraform" {
		return CLI{}, fmt.Errorf("neither a Terraform nor an OpenTofu: %q", line)
	}
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 3 {
		return CLI{}, fmt.Errorf("not a version: %q", version)
	}
	major, err1 := strconv.Atoi(parts[0])
	minor, err2 := strconv.Atoi(parts[1])
	if err := errors.Join(err1, err2); err != nil {
		return CLI{}, fmt.Errorf("not a version: %q: %w", version, err)
	}
	if major < minMajor || major == minMajor && minor < minMinor {
		return CLI{}, fmt.Errorf("%s is older than %d.%d", line, minMajor, minMinor)
	}
	return cli, nil
}

// Environment is what a test process must have in its environment for this
// CLI: no calls home, a CLI configuration file that exists (a warning about a
// missing one gets into the JSON output, which nobody can then parse), and the
// registry under which OpenTofu looks for the provider under test.
func (c CLI) Environment() map[string]string {
	env := map[string]string{
		TerraformPathEnv:     c.Path,
		"CHECKPOINT_DISABLE": "1",
	}
	if file, set := os.LookupEnv("TF_CLI_CONFIG_FILE"); set {
		if _, err := os.Stat(file); err != nil {
			env["TF_CLI_CONFIG_FILE"] = os.DevNull
		}
	}
	if c.Tofu {
		env["TF_ACC_PROVIDER_HOST"] = "registry.opentofu.org"
		env["TF_ACC_PROVIDER_NAMESPACE"] = "hashicorp"
	}
	return env
}
