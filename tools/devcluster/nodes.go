package main

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	nodefast "sigs.k8s.io/kwok/kustomize/stage/node/fast"
	nodelease "sigs.k8s.io/kwok/kustomize/stage/node/heartbeat-with-lease"
	podfast "sigs.k8s.io/kwok/kustomize/stage/pod/fast"
	"sigs.k8s.io/kwok/pkg/apis/v1alpha1"
	kwokconfig "sigs.k8s.io/kwok/pkg/config"
	kwok "sigs.k8s.io/kwok/pkg/kwok/cmd"
	kwoklog "sigs.k8s.io/kwok/pkg/log"
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

func (p *controlPlane) startKwok(ctx context.Context) error {
	content, err := stages()
	if err != nil {
		return fmt.Errorf("stages: %w", err)
	}
	file := filepath.Join(p.dir, "stages.yaml")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		return err
	}
	args := []string{
		"--kubeconfig=" + p.kubeconfig,
		"--config=" + file,
		"--manage-nodes-with-label-selector=type=kwok",
		"--cidr=10.244.0.0/16",
		"--node-ip=127.0.0.1",
		"--node-lease-duration-seconds=40",
		"--v=WARN",
	}
	// kwok's configuration and log level come from os.Args, whatever the
	// command is given.
	os.Args = append([]string{"kwok"}, args...)
	global := pflag.NewFlagSet("global", pflag.ContinueOnError)
	global.ParseErrorsAllowlist.UnknownFlags = true
	global.Usage = func() {}
	ctx, _ = kwoklog.InitFlags(ctx, global)
	ctx, err = kwokconfig.InitFlags(ctx, global)
	if err != nil {
		return err
	}
	command := kwok.NewCommand(ctx)
	command.Version = "" // its --version flag collides with the components'
	command.PersistentFlags().AddFlagSet(global)
	command.SetArgs(args)
	p.spawn("kwok", func() error { return command.ExecuteContext(ctx) })
	return nil
}

// stages is kwok's default behaviour, plus ours for images whose names ask for
// another one.
func stages() ([]byte, error) {
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

	all := [][]byte{
		[]byte(nodefast.DefaultNodeInit),
		[]byte(nodelease.DefaultNodeHeartbeatWithLease),
		[]byte(podfast.DefaultPodComplete),
		[]byte(podfast.DefaultPodDelete),
	}
	ours := []*v1alpha1.Stage{&ready, slow}
	for _, f := range failures {
		stage := failing.DeepCopy()
		stage.Name = "pod-" + f.word
		stage.Spec.Next.Event = &v1alpha1.StageEvent{Type: corev1.EventTypeWarning, Reason: f.reason, Message: f.message}
		selectImages(stage, v1alpha1.SelectorOpExists, f.word)
		ours = append(ours, stage)
	}
	for _, stage := range ours {
		content, err := yaml.Marshal(stage)
		if err != nil {
			return nil, err
		}
		all = append(all, content)
	}
	return bytes.Join(all, []byte("\n---\n")), nil
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
