package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	nodefast "sigs.k8s.io/kwok/kustomize/stage/node/fast"
	nodelease "sigs.k8s.io/kwok/kustomize/stage/node/heartbeat-with-lease"
	podfast "sigs.k8s.io/kwok/kustomize/stage/pod/fast"
	kwokapi "sigs.k8s.io/kwok/pkg/apis/internalversion"
	"sigs.k8s.io/kwok/pkg/apis/v1alpha1"
	"sigs.k8s.io/kwok/pkg/client/clientset/versioned"
	kwok "sigs.k8s.io/kwok/pkg/kwok/controllers"
	kwoklog "sigs.k8s.io/kwok/pkg/log"
	kwokclient "sigs.k8s.io/kwok/pkg/utils/client"
	"sigs.k8s.io/yaml"
)

//go:embed stages.yaml
var failingStage string

// slowMilliseconds is how long a pod with a slow image takes to become ready.
const slowMilliseconds = 3000

// failures are the words that make a pod fail, and the event the kubelet would
// write then.
var failures = []struct{ word, reason, message string }{
	{"missing", "Failed", "Error: ImagePullBackOff"},
	{"crash", "BackOff", "Back-off restarting failed container"},
	{"oom", "BackOff", "Back-off restarting failed container"},
	{"unready", "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503"},
}

// startNodes runs kwok and makes the nodes it plays.
func (p *controlPlane) startNodes(ctx context.Context) error {
	if p.cfg.nodes == 0 {
		return nil
	}
	if err := p.startKwok(ctx); err != nil {
		return err
	}
	for i := range p.cfg.nodes {
		name := fmt.Sprintf("node-%d", i)
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{
			Name:   name,
			Labels: map[string]string{"type": "kwok", corev1.LabelHostname: name},
		}}
		if _, err := p.client.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
			return err
		}
	}
	return p.wait(ctx, func() bool {
		nodes, err := p.client.CoreV1().Nodes().List(ctx, metav1.ListOptions{LabelSelector: "type=kwok"})
		return err == nil && len(nodes.Items) >= p.cfg.nodes && !slices.ContainsFunc(nodes.Items, notSchedulable)
	})
}

func notSchedulable(node corev1.Node) bool {
	ready := slices.ContainsFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
	return !ready || len(node.Spec.Taints) > 0
}

// startKwok runs kwok's controllers, which play the nodes. Its command would be
// less to write: it brings kustomize and a server along, which take a while to
// compile and have nothing to do here.
func (p *controlPlane) startKwok(ctx context.Context) error {
	played, err := stages()
	if err != nil {
		return fmt.Errorf("stages: %w", err)
	}
	cfg := kwok.Config{
		Clock:                         clock.RealClock{},
		LocalStages:                   played,
		ManageNodesWithLabelSelector:  "type=kwok",
		CIDR:                          "10.244.0.0/16",
		NodeIP:                        "127.0.0.1",
		PodPlayStageParallelism:       4,
		NodePlayStageParallelism:      4,
		NodeLeaseDurationSeconds:      40,
		NodeLeaseParallelism:          4,
		PodsOnNodeSyncParallelism:     1,
		EnablePodsOnNodeSyncListPager: true,
	}
	if cfg.ID, err = kwok.Identity(); err != nil {
		return err
	}
	if err := clients(p.components, &cfg); err != nil {
		return err
	}
	controller, err := kwok.NewController(cfg)
	if err != nil {
		return err
	}
	ctx = kwoklog.NewContext(ctx, kwoklog.NewLogger(os.Stderr, kwoklog.LevelWarn))
	p.spawn("kwok", func() error {
		if err := controller.Start(ctx); err != nil {
			return err
		}
		<-ctx.Done()
		return ctx.Err()
	})
	return nil
}

// clients are kwok's, without a limit of their own.
func clients(kubeconfig string, cfg *kwok.Config) error {
	set, err := kwokclient.NewClientset("", kubeconfig)
	if err != nil {
		return err
	}
	config, err := set.ToRESTConfig()
	if err != nil {
		return err
	}
	cfg.ImpersonatingDynamicClient, cfg.ImpersonatingTypedClient = set.ToImpersonatingDynamicClient(), set.ToImpersonatingTypedClient()
	var errs [5]error
	cfg.DynamicClient, errs[0] = set.ToDynamicClient()
	cfg.RESTMapper, errs[1] = set.ToRESTMapper()
	cfg.RESTClient, errs[2] = rest.RESTClientFor(config)
	cfg.TypedClient, errs[3] = kubernetes.NewForConfig(config)
	cfg.TypedKwokClient, errs[4] = versioned.NewForConfig(config)
	return errors.Join(errs[:]...)
}

// stages is kwok's default behaviour, plus ours for images whose names ask for
// another one.
func stages() (map[kwokapi.StageResourceRef][]*kwokapi.Stage, error) {
	var ready, failing v1alpha1.Stage
	if err := yaml.UnmarshalStrict([]byte(podfast.DefaultPodReady), &ready); err != nil {
		return nil, err
	}
	if err := yaml.UnmarshalStrict([]byte(failingStage), &failing); err != nil {
		return nil, err
	}
	words := []string{"slow"}
	for _, f := range failures {
		words = append(words, f.word)
	}

	slow := ready.DeepCopy()
	slow.Name = "pod-ready-slow"
	slow.Spec.Delay = &v1alpha1.StageDelay{DurationMilliseconds: new(int64(slowMilliseconds))}
	selectImages(slow, v1alpha1.SelectorOpExists, "slow")
	selectImages(slow, v1alpha1.SelectorOpDoesNotExist, words[1:]...)
	selectImages(&ready, v1alpha1.SelectorOpDoesNotExist, words...)

	all := []*v1alpha1.Stage{&ready, slow}
	for _, f := range failures {
		stage := failing.DeepCopy()
		stage.Name = "pod-" + f.word
		stage.Spec.Next.Event = &v1alpha1.StageEvent{Type: corev1.EventTypeWarning, Reason: f.reason, Message: f.message}
		selectImages(stage, v1alpha1.SelectorOpExists, f.word)
		all = append(all, stage)
	}
	for _, text := range []string{nodefast.DefaultNodeInit, nodelease.DefaultNodeHeartbeatWithLease, podfast.DefaultPodComplete, podfast.DefaultPodDelete} {
		stage := &v1alpha1.Stage{}
		if err := yaml.UnmarshalStrict([]byte(text), stage); err != nil {
			return nil, err
		}
		all = append(all, stage)
	}
	played := map[kwokapi.StageResourceRef][]*kwokapi.Stage{}
	for _, stage := range all {
		v1alpha1.SetObjectDefaults_Stage(stage)
		internal, err := kwokapi.ConvertToInternalStage(stage)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", stage.Name, err)
		}
		played[internal.Spec.ResourceRef] = append(played[internal.Spec.ResourceRef], internal)
	}
	return played, nil
}

// selectImages narrows a stage to pods with, or without, a container whose
// image's name holds one of the words.
func selectImages(stage *v1alpha1.Stage, operator v1alpha1.SelectorOperator, words ...string) {
	stage.Spec.Selector.MatchExpressions = append(stage.Spec.Selector.MatchExpressions, v1alpha1.MatchExpression{
		JQ: &v1alpha1.SelectorJQ{
			Key:      fmt.Sprintf(`.spec.containers[] | .image | select(test("\\b(%s)\\b"))`, strings.Join(words, "|")),
			Operator: operator,
		},
	})
}
