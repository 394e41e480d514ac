package faults_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// asleepAt are writes after which a run holds something that another one may
// take over, by verb.
var asleepAt = map[string][]string{
	"create":  {"POST .*/configmaps$", "PATCH .*/deployments/", "PATCH .*" + mainService},
	"bump":    {"POST .*/configmaps$", "PATCH .*/configmaps/" + application + "-switchback$", "PATCH .*" + mainService},
	"roll":    {"PATCH .*/configmaps/", "PATCH .*/deployments/", "PATCH .*/services/"},
	"destroy": {"DELETE .*" + mainService, "PATCH .*/configmaps/" + application + "-[0-9a-f]{8}$", "DELETE .*/deployments/"},
}

// TestAsleep stops a run, CLI and provider, when one of its writes is done.
// Another one from the same state takes over and finishes. Then the first one
// goes on: it writes nothing more, and says what has happened.
func TestAsleep(t *testing.T) {
	t.Parallel()
	for _, v := range verbs() {
		for _, at := range asleepAt[v.name] {
			t.Run(v.name+" at "+at, func(t *testing.T) {
				t.Parallel()
				asleep(t, v, regexp.MustCompile(at))
			})
		}
	}
}

func asleep(t *testing.T, v verb, at *regexp.Regexp) {
	t.Helper()
	a := newWorkspace(t).hasty()
	names := v.begin(a)
	main := a.cluster.WatchMain(t, a.namespace, application)
	b := newWorkspaceIn(t, a.cluster, a.namespace).hasty()
	b.inherit(a)

	stopped, started := make(chan struct{}), make(chan *execution, 1)
	var once sync.Once
	a.proxy.SetFault(func(r *testcluster.Request, _ int) (happens testcluster.Fault) {
		if r.Write() && !heartbeat(r, a.proxy.Requests()) && at.MatchString(r.Method+" "+r.Path) {
			once.Do(func() {
				happens = testcluster.Fault{}.BeforeReply(func() {
					x := <-started
					if err := x.Freeze(); err != nil {
						t.Errorf("stop the run: %v", err)
					}
					close(stopped)
				})
			})
		}
		return happens
	})
	x := v.start(a)
	started <- x
	x.reach(at.String(), stopped)

	other := v.start(b)
	if other.wait() != 0 {
		x.signal(syscall.SIGCONT)
		t.Fatalf("the run that takes over:\n%s", other.text())
	}
	asked := len(a.proxy.Requests())
	x.signal(syscall.SIGCONT)
	// Who was to remove what is gone by then has nothing left to do, and may find that out
	// first: all that it writes are Leases, which it lets go of.
	gone := v.destroy && x.wait() == 0
	if !gone {
		x.fails("Deployment was taken over|Lock was lost")
	}
	if strings.Contains(x.said(), "Nothing was changed") {
		t.Errorf("it says that nothing was changed:\n%s", x.text())
	}
	for _, r := range a.proxy.Requests()[asked:] {
		if strings.Contains(at.String(), "/deployments/") && strings.Contains(r.Path, "/services/"+application+"-") {
			continue // a release's Service is applied beside its Deployment: it may have been on its way
		}
		if gone && strings.Contains(r.Path, "/leases") {
			continue
		}
		if r.Write() && r.Status >= 200 && r.Status < 300 && !strings.HasSuffix(r.Path, "/events") {
			t.Errorf("it has woken and written %s\n%s", r.String(), r.Body)
		}
	}
	if !v.destroy {
		b.nothingIsPlanned()
		names[v.do.version] = b.name()
	}
	b.check(v.want(names))
	if len(v.before) > 0 && !v.destroy {
		main.NeverEmpty(t)
		if !v.replaces {
			main.Check(t, drain)
		}
	}
}

// inherit begins with the state that another workspace has by now.
func (w *workspace) inherit(from *workspace) {
	w.t.Helper()
	state, err := os.ReadFile(filepath.Join(from.Dir, "terraform.tfstate"))
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.file("terraform.tfstate", string(state))
	config, err := os.ReadFile(filepath.Join(from.Dir, "main.tf"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.file("main.tf", strings.ReplaceAll(string(config), from.proxy.KubeconfigPath, w.proxy.KubeconfigPath))
}
