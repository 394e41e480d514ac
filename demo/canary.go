package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// The versions of the canary's story: tags of the test application, of which the last
// one is made to crash.
const (
	one     = "v1"
	two     = "v2"
	crashes = "v3"
)

// hostname is under which the gateway serves the application.
const hostname = "web.example.com"

// onTheNode overrides what examples/canary runs: the node pulls nothing from outside.
const onTheNode = `resource "switchback_deployment" "web" {
  image = "switchback.test/app:${var.app_version}"

  container = {
    ports           = { http = 8080 }
    env             = var.app_version == "` + crashes + `" ? { APP_CRASH_AFTER = "15s" } : {}
    resources       = { requests = { cpu = "20m", memory = "32Mi" }, limits = { memory = "64Mi" } }
    readiness_probe = { http_get = { path = "/readyz", port = "http" }, period_seconds = 1 }
  }
}
`

// playCanary tells the story of a canary.
func (d *demo) playCanary(ctx context.Context) error {
	d.last = one
	for _, chapter := range []func(context.Context) error{d.serve, d.share, d.unshare, d.crash} {
		if err := chapter(ctx); err != nil {
			return err
		}
	}
	return nil
}

// answered applies a version while requests come in, and says who answered them.
func (d *demo) answered(ctx context.Context, version string, more ...string) (count, error) {
	m := measure(ctx, d.cluster.gateway.Web)
	err := d.terraform.run(ctx, told, append([]string{"apply", "-auto-approve", "-var", "app_version=" + version}, more...)...)
	all := m.end()
	say("\n    In all, %s", all)
	return all, err
}

// told is what is shown of an apply: the plan in outline, and what comes of it. Of an
// error, its text is shown at the end.
func told(line string) bool {
	return outlined(line) || strings.HasPrefix(line, "switchback_") || strings.HasPrefix(line, "Apply complete")
}

// serve is the first version: there is none to compare it with.
func (d *demo) serve(ctx context.Context) error {
	d.step("Release version "+one,
		"The configuration is examples/canary: beside the Service, the application has a route of the Gateway API, and its\n"+
			"versions get 10 % of the traffic, then half of it, then all. The first one has nobody to be compared with.")
	if err := d.terraform.run(ctx, told, "apply", "-auto-approve", "-var", "app_version="+one); err != nil {
		return err
	}
	if err := untilAnswered(ctx, d.cluster.gateway.Web, one); err != nil {
		return err
	}
	say("\nLook at: curl -H 'Host: %s' http://%s/", hostname, d.cluster.gateway.Web)
	return nil
}

// share is the canary.
func (d *demo) share(ctx context.Context) error {
	d.step("Bump it to "+two,
		"From now on, 50 requests a second come in through the gateway. Each line says who has answered those of the last\n"+
			"two seconds: watch the shares.")
	all, err := d.answered(ctx, two)
	if err != nil {
		return err
	}
	say("\nLook at: split and status_reason in the state while it goes on, and the weights of the route: kubectl get httproute web -o yaml.")
	say("Try next: the guide Canary: gates, a limit, a header for testers, the same in a module.")
	return all.expect(false, one, two)
}

// unshare goes back: in one step.
func (d *demo) unshare(ctx context.Context) error {
	d.step("Go back to "+one, "The variable is changed back. A way back needs no steps: "+one+" has proved itself, and its pods still wait.")
	all, err := d.answered(ctx, one, "-var", "pause=1s")
	if err != nil {
		return err
	}
	return all.expect(false, one, two)
}

// crash is a version that breaks with a tenth of the traffic.
func (d *demo) crash(ctx context.Context) error {
	d.step("Release something that breaks under way",
		crashes+" starts, is ready, gets 10 %, and then its pods crash. What they were answering in that moment is lost: a tenth,\n"+
			"for as long as it takes to see it. The rest notices nothing.")
	all, err := d.answered(ctx, crashes, "-var", "pause=1m")
	var failed *commandError
	switch {
	case err == nil:
		return errors.New("this release should have failed")
	case !errors.As(err, &failed) || ctx.Err() != nil:
		return err
	}
	if _, text, found := strings.Cut(failed.output, "\nError: "); found {
		say("\n    Error: %s", strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n    "))
	}
	say("\nLook at: the error. It says what the version had, for how long, and what it did. All of the traffic is back on %s.", one)
	return all.expect(true, one)
}

// expect makes sure that the story went as it was told.
func (c count) expect(loses bool, versions ...string) error {
	for _, version := range versions {
		if c.by[version] == 0 {
			return fmt.Errorf("version %s has answered nothing", version)
		}
	}
	if c.failed > 0 && !loses {
		return fmt.Errorf("%d requests have failed: %w", c.failed, c.why)
	}
	return nil
}
