package provider_test

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/cluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

func TestAccNamespaceThatIsNotThere(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	w.applyFails(l.config(l.deployment(`namespace = "nowhere"`))).tells("Namespace is not there", "nowhere")
	w.wantAbsent(theDeployment)
}

// policyRules are the permissions of features, as an administrator would grant
// them.
func policyRules(features ...cluster.Feature) (rules, clusterRules []rbacv1.PolicyRule) {
	for _, feature := range features {
		needs, _ := feature.Rules()
		for _, r := range needs {
			rule := rbacv1.PolicyRule{APIGroups: []string{r.Group}, Resources: r.Resources, Verbs: r.Verbs}
			if slices.Equal(r.Resources, []string{"namespaces"}) {
				clusterRules = append(clusterRules, rule)
			}
			rules = append(rules, rule)
		}
	}
	return rules, clusterRules
}

func TestAccMissingPermissionsAreListed(t *testing.T) {
	l := newLab(t)
	rules, clusterRules := policyRules(cluster.FeatureRefresh)
	w := l.inProcess()
	l.provider = connection(l.cluster.RestrictedKubeconfig(t, l.namespace, rules, clusterRules...))
	r := w.applyFails(l.config(l.deployment()))
	r.tells("Permissions are missing",
		`verb "create" on deployments.apps`, `verb "patch" on deployments.apps`, `verb "create" on services`, `verb "patch" on configmaps`,
		`verb "create" on leases.coordination.k8s.io`, `verb "update" on leases.coordination.k8s.io`,
		"kind: Role", "system:serviceaccount:"+l.namespace)
	l.wantNothingLeft()
}

// The Role that the documentation and the errors name is enough, with what is
// optional and without.
func TestAccLeastPrivilegeIsEnough(t *testing.T) {
	t.Parallel()
	optional := func(f cluster.Feature) bool {
		_, is := f.Rules()
		return is
	}
	for name, features := range map[string][]cluster.Feature{
		"everything":           cluster.Features(),
		"without the optional": slices.DeleteFunc(cluster.Features(), optional),
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			rules, clusterRules := policyRules(features...)
			l.provider = connection(l.cluster.RestrictedKubeconfig(t, l.namespace, rules, clusterRules...))
			w, watch := l.inProcess(), l.watchMain()
			for _, tag := range []string{"v1", "v2", "v3"} {
				w.apply(l.config(l.deployment(image(tag), createFirst), l.main()))
			}
			l.wantReleases(nameOf("v2"), nameOf("v3"))
			w.applyFails(l.config(l.deployment(image("missing"), createFirst), l.main())).tells(nameOf("missing"))
			w.write(l.config(l.deployment(image("v3"), createFirst), l.main()))
			w.wantNoChanges()
			watch.Check(t, drain)
			w.destroy()
			l.wantNothingLeft()
		})
	}
}

func TestAccWrongClusterIsNeverWrittenTo(t *testing.T) {
	l := newLab(t)
	kubeSystem, err := l.cluster.Client().CoreV1().Namespaces().Get(t.Context(), "kube-system", metav1.GetOptions{})
	l.must(err)
	w := l.inProcess()
	l.provider = connection(l.cluster.KubeconfigPath, `expected_uid = "00000000-0000-0000-0000-000000000000"`)
	w.applyFails(l.config(l.deployment())).tells("Wrong cluster", "expected_uid", string(kubeSystem.UID))
	l.wantNothingLeft()
	l.provider = connection(l.cluster.KubeconfigPath, fmt.Sprintf("expected_uid = %q", kubeSystem.UID))
	w.apply(l.config(l.deployment()))
	l.wantPods(nameOf("v1"), 1)
}

// The cluster may be made in the same apply: nothing of its connection is known
// at plan.
func TestAccConnectionThatIsNotKnownYet(t *testing.T) {
	l := newLab(t)
	c := l.cluster.REST
	lines := func(host string) []string {
		return []string{
			"host = " + host,
			fmt.Sprintf("cluster_ca_certificate = %q", c.CAData),
			fmt.Sprintf("client_certificate = %q", c.CertData),
			fmt.Sprintf("client_key = %q", c.KeyData),
		}
	}
	made := fmt.Sprintf("resource \"terraform_data\" \"cluster\" {\n  input = %q\n}\n", c.Host)
	for name, provider := range map[string]string{
		"one": block(`provider "switchback"`, lines("terraform_data.cluster.output")),
		"map": block(`provider "switchback"`, []string{"clusters = { prod = {", strings.Join(lines("terraform_data.cluster.output"), "\n"), "} }"}),
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.provider = provider
			w := l.workspace()
			w.write(l.config(made, l.deployment(), l.main()))
			w.plan().wantActions("terraform_data.cluster", "create", theDeployment, "create", theMain, "create")
			w.apply(l.config(made, l.deployment(), l.main()))
			l.wantMain(nameOf("v1"))
			w.wantNoChanges()
			// The cluster is made anew, at the same address: until then nothing can be
			// read, and nothing is lost.
			w.apply(l.config(made, l.deployment(), l.main()), "-replace=terraform_data.cluster")
			l.wantMain(nameOf("v1"))
			w.wantNoChanges()
		})
	}
}

// Planted secrets must not be found anywhere outside the objects that hold them.
func TestAccSecretsStayWhereTheyAre(t *testing.T) {
	l := newLab(t)
	const inSecret, inEnv, removedEnv = "planted-in-a-secret-8f1c", "planted-in-env-77aa", "planted-by-somebody-51d0"
	_, err := l.cluster.Client().CoreV1().Secrets(l.namespace).Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "db"}, StringData: map[string]string{"password": inSecret},
	}, metav1.CreateOptions{})
	l.must(err)
	rules, clusterRules := policyRules(cluster.Features()...)
	token := l.cluster.RestrictedToken(t, l.namespace, rules, clusterRules...)
	l.provider = ""

	// The real program, with logs of everything.
	w := l.workspace()
	w.useProgram()
	log := filepath.Join(w.Dir, "trace.log")
	w.Env = []string{
		"TF_LOG=TRACE", "TF_LOG_PATH=" + log,
		// Not in the configuration, which Terraform itself writes into its plans.
		"KUBE_HOST=" + l.cluster.REST.Host, "KUBE_TOKEN=" + token, "KUBE_CLUSTER_CA_CERT_DATA=" + string(l.cluster.REST.CAData),
	}
	container := `container = {
    ports      = { http = 8080 }
    env        = { GREETING = "` + inEnv + `" }
    secret_env = { PASSWORD = { name = "db", key = "password" } }
  }`
	config := func(tag string) string { return l.config(l.deployment(image(tag), container, createFirst), l.main()) }
	w.apply(config("v1"))
	state, _ := w.attributes(theDeployment)
	name := state["name"].(string)
	l.patchWorkload(name, `{"spec":{"template":{"spec":{"containers":[{"name":"api","env":[{"name":"GREETING","value":"`+removedEnv+`"}]}]}}}}`)
	w.refresh()
	if len(w.drift(theDeployment)) == 0 {
		t.Error("no drift: this test tests nothing")
	}
	drifted := w.stateText()
	w.apply(config("v1"))
	w.applyFails(config("crash"))
	w.write(config("v2"))
	w.do("plan", "-input=false", "-out=plan")
	plan := w.do("show", "-json", "plan")
	stateText := w.stateText()

	content, err := os.ReadFile(log)
	l.must(err)
	if !strings.Contains(string(content), "switchback_deployment") {
		t.Fatal("the log has nothing of the provider's")
	}
	// What the user writes as env is in the user's state and plan, and so in
	// Terraform's own log; nowhere else.
	users := []string{"state", "state with drift", "plan", "log"}
	everywhere := map[string]string{"log": string(content), "state": stateText, "state with drift": drifted, "plan": plan}
	for _, where := range []string{"record", "main", "events"} {
		everywhere[where] = l.text(where, name)
	}
	for where, text := range everywhere {
		if len(text) < 50 {
			t.Errorf("%s has next to nothing: %q", where, text)
		}
		for _, secret := range []string{token, inSecret, base64.StdEncoding.EncodeToString([]byte(inSecret)), inEnv, removedEnv} {
			if secret == inEnv && slices.Contains(users, where) {
				continue
			}
			if strings.Contains(text, secret) {
				t.Errorf("%q is in the %s", secret, where)
			}
		}
	}
}

// text is everything of a kind in the lab's namespace that we wrote.
func (l *lab) text(what, name string) string {
	l.t.Helper()
	ctx, client := l.t.Context(), l.cluster.Client()
	switch what {
	case "record":
		cm, err := client.CoreV1().ConfigMaps(l.namespace).Get(ctx, name, metav1.GetOptions{})
		l.must(err)
		return fmt.Sprint(cm)
	case "main":
		cm, err := client.CoreV1().ConfigMaps(l.namespace).Get(ctx, release.MainName("api"), metav1.GetOptions{})
		l.must(err)
		return fmt.Sprint(cm)
	default:
		events, err := client.EventsV1().Events(l.namespace).List(ctx, metav1.ListOptions{})
		l.must(err)
		return fmt.Sprint(events)
	}
}

// An API server that is away for a while takes nothing out of the state, and
// fails no plan.
func TestAccTheOnlyClusterIsUnreachable(t *testing.T) {
	l := newLab(t)
	proxy := l.cluster.Proxy(t)
	l.provider = connection(proxy.KubeconfigPath)
	w := l.inProcess()
	config := func(tag string) string { return l.config(l.deployment(image(tag)), l.main()) }
	w.apply(config("v1"))
	before := resourcesOf(w.stateText())
	proxy.Down(t)
	w.refresh().warns("Cluster is unreachable")
	w.wantNoChanges().warns("Cluster is unreachable")
	if after := resourcesOf(w.stateText()); before != after {
		t.Errorf("the state changed:\n%s\nand was:\n%s", after, before)
	}
	w.applyFails(config("v2")).tells("Cluster is unreachable")
	proxy.Up(t)
	w.write(config("v1"))
	w.apply(config("v1"))
	l.wantMain(nameOf("v1"))
	w.wantNoChanges()
}
