package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"
)

// The versions of the story. They are tags of the image in examples/quickstart;
// the last one does not exist there, and a simulated cluster takes its name for
// an order to fail.
const (
	first  = "1.28"
	second = "1.29"
	broken = "missing"
)

// demo is the story, told on one cluster.
type demo struct {
	cluster   *cluster
	terraform *workspace
	steps     int
	last      string // the version at the end
}

// play tells everything up to the clean-up.
func (d *demo) play(ctx context.Context) error {
	if err := d.release(ctx); err != nil {
		return err
	}
	guard := watchAddress(ctx, d.cluster)
	defer guard.stop()
	for _, step := range []func(context.Context) error{d.bump, d.goBack, d.drift, d.fail} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return guard.end()
}

// step begins a chapter.
func (d *demo) step(title, what string) {
	d.steps++
	say("\n── %d. %s ──\n\n%s\n", d.steps, title, what)
}

// after shows the cluster, says what to look at and what to try.
func (d *demo) after(ctx context.Context, lookAt, tryNext string) (sight, error) {
	s, err := look(ctx, d.cluster)
	if err != nil {
		return s, err
	}
	say("")
	s.show()
	say("\nLook at: %s", lookAt)
	if tryNext != "" {
		say("Try next: %s", tryNext)
	}
	return s, nil
}

// release is the first version.
func (d *demo) release(ctx context.Context) error {
	d.step("Release version "+first,
		"Two resources: a deployment, which is one immutable version of the application \"web\", and the main deployment,\n"+
			"which gives it the traffic of the application's address. The configuration is examples/quickstart.")
	if err := d.terraform.release(ctx, first); err != nil {
		return err
	}
	s, err := d.after(ctx,
		"the id in the plan. It was known before anything existed: a deployment's name follows from its content.",
		"KEEP=1 make demo, to keep the cluster and look around with kubectl.")
	if err != nil {
		return err
	}
	return s.expect(first, first)
}

// bump is one changed variable.
func (d *demo) bump(ctx context.Context) error {
	d.step("Bump it to "+second,
		"One variable changes. The new pods start beside the old ones; when all are ready, the traffic moves.\n"+
			"For Terraform the old deployment is then destroyed. In the cluster it keeps running, for going back.")
	if err := d.terraform.release(ctx, second); err != nil {
		return err
	}
	s, err := d.after(ctx,
		"the order in the apply (create, modify, destroy), and the old deployment: custody \"retained\", its pods still there.",
		"keep_previous = { count = 0 } in the main deployment: the old one is removed once its connections had time to drain.")
	if err != nil {
		return err
	}
	return s.expect(second, first, second)
}

// goBack finds the first version again.
func (d *demo) goBack(ctx context.Context) error {
	d.step("Go back to "+first,
		"The variable is changed back. The same content has the same name, so the deployment that is still running is adopted.")
	before, err := look(ctx, d.cluster)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := d.terraform.release(ctx, first); err != nil {
		return err
	}
	took := time.Since(began).Round(100 * time.Millisecond)
	s, err := d.after(ctx, "the plan: it names the id of step 1 again.", "")
	if err != nil {
		return err
	}
	was, _ := before.of(first)
	is, _ := s.of(first)
	if fresh := countNew(was.pods, is.pods); fresh > 0 {
		return fmt.Errorf("going back started %d new pods; it should have adopted the old ones", fresh)
	}
	say("Plan and apply took %s together. The %d pods are the ones from step 1: not one was started.", took, len(is.pods))
	return s.expect(first, first, second)
}

func countNew(before, after []string) int {
	fresh := 0
	for _, uid := range after {
		if !slices.Contains(before, uid) {
			fresh++
		}
	}
	return fresh
}

// drift is what somebody does by hand.
func (d *demo) drift(ctx context.Context) error {
	d.step("Somebody changes things by hand",
		"Behind Terraform's back, somebody scales the main deployment to one pod and points the Service at version "+second+".")
	s, err := look(ctx, d.cluster)
	if err != nil {
		return err
	}
	main, ok1 := s.of(first)
	other, ok2 := s.of(second)
	if !ok1 || !ok2 {
		return errors.New("a deployment is missing")
	}
	if err := d.cluster.patch(ctx, "deployments/"+main.name, `{"spec":{"replicas":1}}`); err != nil {
		return err
	}
	selector := fmt.Sprintf(`{"spec":{"selector":{%q:%q}}}`, labelDeployment, other.name)
	if err := d.cluster.patch(ctx, "services/"+application, selector); err != nil {
		return err
	}
	if err := d.terraform.planAndApply(ctx, first, all); err != nil {
		return err
	}
	s, err = d.after(ctx,
		"drift in the plan: object, field, both values, and who did it. deployment_id shows where the traffic really went.\n"+
			"Both were repaired in place; drift never replaces a deployment.",
		"ignore_drift = [\"spec.replicas\"] in the deployment, where an autoscaler may have its way.")
	if err != nil {
		return err
	}
	return s.expect(first, first, second)
}

// fail is a release that cannot start.
func (d *demo) fail(ctx context.Context) error {
	d.step("Release something that cannot start",
		"The image's tag does not exist. Watch how soon the apply says so, and what happens to the traffic: nothing.")
	began := time.Now()
	var failed *commandError
	switch err := d.terraform.release(ctx, broken); {
	case err == nil:
		return errors.New("this release should have failed")
	case !errors.As(err, &failed) || ctx.Err() != nil:
		return err
	}
	took := time.Since(began).Round(time.Second)
	s, err := d.after(ctx,
		fmt.Sprintf("the error. It came after %s, and names the pod and the cause. The failed deployment is scaled to zero;\n"+
			"it waits there in case it is asked for again, and the next promotion removes it.", took),
		"on_failure = \"keep\" in the deployment, to have a look at the pods that fail.")
	if err != nil {
		return err
	}
	say("\nNothing of it is in the state, so going back to %s changes no resource. (Outputs, if anything: Terraform itself\n"+
		"leaves them at what was planned when an apply fails.)\n", first)
	if err := d.terraform.unchanged(ctx, first); err != nil {
		return err
	}
	return s.expect(first, first, second, broken)
}

// destroy removes everything.
func (d *demo) destroy(ctx context.Context) error {
	d.step("Destroy", "The address goes first, then every deployment of the application: the retained and the failed one too.")
	if err := d.terraform.run(ctx, destroyed, "destroy", "-var", "app_version="+d.last, "-auto-approve"); err != nil {
		return err
	}
	s, err := look(ctx, d.cluster)
	if err != nil {
		return err
	}
	say("")
	s.show()
	if len(s.deployments) > 0 || s.main != "" {
		return errors.New("destroy left something behind")
	}
	return nil
}

// expect makes sure that the story went as it was told.
func (s sight) expect(main string, versions ...string) error {
	for _, version := range versions {
		d, ok := s.of(version)
		if !ok {
			return fmt.Errorf("version %s is not in the cluster", version)
		}
		if version == main && (d.name != s.main || d.ready == 0) {
			return fmt.Errorf("the traffic goes to %q with %d pods ready, not to version %s", s.main, d.ready, version)
		}
	}
	if len(s.deployments) != len(versions) {
		return fmt.Errorf("there are %d deployments in the cluster, not %d", len(s.deployments), len(versions))
	}
	return nil
}

// sayWhatIsKept is for who wants to go on by hand.
func (d *demo) sayWhatIsKept(ctx context.Context, forGood bool) {
	w := d.terraform
	say(`
Kept, as asked for. To look around:

    export KUBECONFIG=%s
    kubectl -n %s get deployments,services,configmaps -l %s --show-labels
    kubectl -n %s get events --watch

To go on with %s:

    cd %s
    export TF_CLI_CONFIG_FILE=%s
    %s apply -var app_version=%s`,
		d.cluster.kubeconfig, namespace, managed, namespace, w.name, w.dir, filepath.Join(filepath.Dir(w.dir), "cli.tfrc"), w.cli.Path, second)
	if forGood {
		say("\nTo clean up, run destroy there, then: kubectl delete namespace %s", namespace)
		return
	}
	say("\nThe cluster is there until you press Ctrl-C.")
	<-ctx.Done()
}
