package devtools

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

const (
	progressEvery = 15 * time.Second
	keepUnused    = 14 * 24 * time.Hour // builds that nobody asked for so long are removed
)

// Build returns the path of the tool's program, building it if these sources
// were never built before. What happens, and how long it takes, is told on
// log. Only one process builds a tool at a time; the others wait for it.
func (t Tool) Build(ctx context.Context, log io.Writer) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	b := build{Tool: t, root: root, cache: filepath.Join(cache, "switchback"), log: log}
	path, err := b.run(ctx)
	if err != nil {
		return "", fmt.Errorf("build %s: %w", t.Name, err)
	}
	return path, nil
}

type build struct {
	Tool
	root  string
	cache string
	log   io.Writer
}

func (b build) run(ctx context.Context) (string, error) {
	version, err := b.command(ctx, "env", "GOVERSION").Output()
	if err != nil {
		return "", fmt.Errorf("go env: %w", err)
	}
	key, err := b.key(b.root, strings.TrimSpace(string(version)))
	if err != nil {
		return "", err
	}
	path := filepath.Join(b.cache, b.Name+"-"+key)
	if b.built(path) {
		return path, nil
	}
	if err := os.MkdirAll(b.cache, 0o755); err != nil {
		return "", err
	}
	unlock, err := lock(ctx, filepath.Join(b.cache, b.Name+".lock"), func() {
		fmt.Fprintf(b.log, "Waiting for another process that builds %s\n", b.Name)
	})
	if err != nil {
		return "", err
	}
	defer unlock()
	if b.built(path) { // by the process that had the lock
		return path, nil
	}
	if err := b.compile(ctx, path); err != nil {
		return "", err
	}
	b.prune(path)
	return path, nil
}

// built tells whether the program is there, and marks it as used.
func (b build) built(path string) bool {
	now := time.Now()
	return os.Chtimes(path, now, now) == nil
}

// compile builds next to the final place, then renames: nobody ever sees half
// a program.
func (b build) compile(ctx context.Context, path string) error {
	fmt.Fprintf(b.log, "Building %s (%s)\n", b.Name, b.notice)
	start := time.Now()
	temporary := path + ".building"
	defer os.Remove(temporary)

	packages, err := b.stale(ctx)
	if err != nil {
		return err
	}
	compiled := newProgress(packages, time.Now())
	if err := b.watch(ctx, compiled, append([]string{"build", "-v", "-o", temporary}, b.args()...)); err != nil {
		return err
	}
	if err := os.Rename(temporary, path); err != nil {
		return err
	}
	fmt.Fprintf(b.log, "Built %s in %s: %s\n", b.Name, time.Since(start).Round(100*time.Millisecond), path)
	return nil
}

// stale names the packages that are not compiled yet, after it has downloaded
// what they are made of.
func (b build) stale(ctx context.Context) ([]string, error) {
	listed := &progress{}
	args := append([]string{"list", "-deps", "-f", "{{if .Stale}}{{.ImportPath}}{{end}}"}, b.args()...)
	if err := b.watch(ctx, listed, args); err != nil {
		return nil, err
	}
	return strings.Fields(listed.output.String()), nil
}

// watch runs the go command and tells now and then how far it is.
func (b build) watch(ctx context.Context, p *progress, args []string) error {
	command := b.command(ctx, args...)
	command.Stdout, command.Stderr = p, p.complaints()
	if err := command.Start(); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- command.Wait() }()
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			fmt.Fprintf(b.log, "Building %s: %s\n", b.Name, p.tell(time.Now()))
		case err := <-done:
			if err != nil {
				return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), errors.Join(ctx.Err(), err), p.tail())
			}
			return nil
		}
	}
}

// command is the go command in the tool's module, free of settings meant for
// the provider (a cross build's GOOS, flags, a workspace).
func (b build) command(ctx context.Context, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, "go", args...)
	command.Dir = filepath.Join(b.root, filepath.FromSlash(b.dir))
	command.Env = append(os.Environ(),
		"PWD="+command.Dir, "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off", "GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH)
	if os.Getenv("GOGC") == "" { // the compiler spends an eighth of its time on garbage
		command.Env = append(command.Env, "GOGC=400")
	}
	command.WaitDelay = 5 * time.Second
	return command
}

// prune removes this tool's builds that were not used for a long time.
func (b build) prune(except string) {
	old, err := filepath.Glob(filepath.Join(b.cache, b.Name+"-*"))
	if err != nil {
		return
	}
	for _, path := range old {
		info, err := os.Stat(path)
		if path != except && err == nil && time.Since(info.ModTime()) > keepUnused {
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				fmt.Fprintf(b.log, "Could not remove the old build %s: %v\n", path, err)
			}
		}
	}
}
