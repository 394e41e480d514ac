package rollout_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/cluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// stand is everything that a person would call changed: objects, what they ask
// for, and whose they are.
func (l *life) stand() map[string]string {
	l.t.Helper()
	client, ctx := l.cluster.Client(), l.t.Context()
	deployments, err1 := client.AppsV1().Deployments(l.namespace).List(ctx, metav1.ListOptions{})
	services, err2 := client.CoreV1().Services(l.namespace).List(ctx, metav1.ListOptions{})
	configMaps, err3 := client.CoreV1().ConfigMaps(l.namespace).List(ctx, metav1.ListOptions{LabelSelector: release.ManagedSelector})
	must(l.t, err1, err2, err3)
	stand := map[string]string{}
	add := func(kind, name string, uid types.UID, of any) {
		text, err := json.Marshal(of)
		must(l.t, err)
		stand[kind+"/"+name] = string(uid) + " " + string(text)
	}
	for _, d := range deployments.Items {
		add("Deployment", d.Name, d.UID, d.Spec)
	}
	for _, s := range services.Items {
		add("Service", s.Name, s.UID, s.Spec)
	}
	for _, cm := range configMaps.Items {
		if r, err := release.ParseRecord(cm.Data); err == nil {
			add("ConfigMap", cm.Name, cm.UID, []any{r.Owner, r.Custody, r.Status, r.Hash, r.Run})
		} else if m, err := release.ParseMain(cm.Data); err == nil {
			add("ConfigMap", cm.Name, cm.UID, m)
		}
	}
	return stand
}

// TestNothingWasChanged: where the text of an error says that nothing was changed,
// that traffic was not touched or that nothing was overwritten, it is so.
func TestNothingWasChanged(t *testing.T) {
	t.Parallel()
	foreignDeployment := func(l *life, name string) {
		d := l.workload("v1").DeepCopy()
		d.ObjectMeta = metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": "theirs"}}
		d.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "theirs"}}
		d.Spec.Template.Labels = map[string]string{"app": "theirs"}
		_, err := l.cluster.Client().AppsV1().Deployments(l.namespace).Create(l.t.Context(), d, metav1.CreateOptions{})
		must(l.t, err)
	}
	as := func(owner string, do func(context.Context, *process) ([]rollout.Notice, error)) func(context.Context, *process) ([]rollout.Notice, error) {
		return func(ctx context.Context, p *process) ([]rollout.Notice, error) {
			main, owners := p.main, maps.Clone(p.owners)
			p.main = owner
			for version := range p.owners {
				p.owners[version] = owner
			}
			notices, err := do(ctx, p)
			p.main, p.owners = main, owners
			return notices, err
		}
	}
	for name, c := range map[string]struct {
		begin func(*life)
		do    func(context.Context, *process) ([]rollout.Notice, error)
		want  any
	}{
		"stop what carries traffic":         {do: onRelease("v1", (*rollout.Engine).Stop), want: new(*release.CarriesError)},
		"stop it by its state":              {do: bringing(two("v1", stopped), false), want: new(*release.CarriesError)},
		"start what is not there":           {do: onRelease("v9", (*rollout.Engine).Start), want: new(*release.RefusedError)},
		"cancel what is started":            {do: onRelease("v2", (*rollout.Engine).Cancel), want: new(*release.ActionError)},
		"update with an old token":          {do: as("old", bringing(two("v2", func(s *release.Spec) { s.Replicas = 3 }), false)), want: new(*release.StaleOwnerError)},
		"promote with an old token":         {do: as("old", promoting("v2")), want: new(*release.StaleOwnerError)},
		"promote what another resource has": {do: as("", promoting("v2")), want: new(*release.MainOwnedError)},
		"promote what is stopped": {begin: func(l *life) {
			_, err := bringing(two("v2", stopped), false)(l.t.Context(), l.process(l.t))
			must(l.t, err)
		}, do: promoting("v2"), want: new(*release.NotReadyError)},
		"deploy over somebody's Deployment":   {begin: func(l *life) { foreignDeployment(l, l.name("v3")) }, do: creating(two("v3", nil)), want: new(*release.ForeignError)},
		"promote over somebody's Service":     {begin: func(l *life) { l.foreignService("theirs") }, do: promotingAt("theirs", "v2"), want: new(*release.ForeignError)},
		"update what another manager changed": {begin: func(l *life) { l.scaleBy("kubectl", "v2", 5) }, do: bringing(two("v2", nil), false), want: new(*cluster.ApplyConflictError)},
		"promote what was taken back": {begin: func(l *life) {
			l.mainIs(func(m *release.Main) {
				m.Breach = &release.Breach{From: l.name("v1"), To: l.name("v2"), Reason: "it crashed"}
			})
		}, do: promoting("v2"), want: new(*release.TakenBackError)},
		"promote what a group has": {begin: func(l *life) { l.mainIs(func(m *release.Main) { m.Group = "store" }) }, do: promoting("v2"), want: new(*release.GroupOwnedError)},
		"promote in a group what has a name": {begin: func(l *life) {
			l.mainIs(func(m *release.Main) {
				m.DNS = &release.DNSWritten{Object: true, Spec: release.DNS{Name: "api.example.com", Endpoints: true}}
			})
		}, do: promotingAs(func(_ *process, r *rollout.PromoteRequest) {
			r.Owner, r.Member = "", rollout.Member{Group: "store", Name: "api"}
		}), want: new(*release.NamedError)},
		"go back where main has moved": {do: func(ctx context.Context, p *process) ([]rollout.Notice, error) {
			back := rollout.PromoteRequest{Service: p.service(), To: p.name("v2"), Owner: p.main, Keep: oneStarted, Drain: faultyDrain, Clusters: p.on}
			done, err := p.engine.GoBack(ctx, rollout.GoBackRequest{PromoteRequest: back, Was: map[string]string{"prod": p.name("v3")}})
			return done.Notices, err
		}, want: new(*release.MovedError)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := application(t)
			if c.begin != nil {
				c.begin(l)
			}
			before := l.stand()
			_, err := c.do(t.Context(), l.process(t))
			if err == nil {
				t.Fatal("it succeeded")
			}
			if c.want != nil && !errors.As(err, c.want) {
				t.Fatalf("it is %v", err)
			}
			for what, now := range l.stand() {
				if before[what] != now {
					t.Errorf("%s was changed from\n%s to\n%s\nthough %v", what, before[what], now, err)
				}
				delete(before, what)
			}
			for what := range before {
				t.Errorf("%s is gone, though %v", what, err)
			}
		})
	}
}
