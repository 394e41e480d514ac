package testcluster

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/retry"
)

// kubeletTaint keeps pods away from a stub's node that do not name it.
const kubeletTaint = "switchback.dev/stub-kubelet"

// kubeletNodes is what the names of stubs' nodes begin with.
const kubeletNodes = "kubelet-"

// kubeletBeat is how often its node says that it lives: the controllers wait for
// 50 s before they take pods away from one that does not.
const kubeletBeat = 10 * time.Second

// Kubelet stands in for the kubelet of one node: it gives its pods the statuses
// that the test says, and answers for their logs. It is the one thing that is
// stubbed here: a client asks the real API server for a log, which authorizes and
// asks the kubelet in the name of nobody but itself, over TLS, as it does anywhere.
//
// Pods are on the node that name it as their spec.nodeName; no scheduler puts any
// there. Other pods of the cluster are kwok's, which have no logs.
type Kubelet struct {
	Node string

	cluster *Cluster
	server  *httptest.Server
	ctx     context.Context
	pods    cache.Store

	mu       sync.Mutex
	status   func(*corev1.Pod) corev1.PodStatus
	told     map[types.UID]bool // the pods that have a status of ours
	logs     []*kubeletLog
	requests []string
	sending  int
}

// Kubelet makes a node with such a kubelet, which ends with the test. The API
// server must reach this process at 127.0.0.1.
func (c *Cluster) Kubelet(t testing.TB) *Kubelet {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	k := &Kubelet{
		Node: kubeletNodes + strings.ToLower(rand.Text()[:6]), cluster: c, ctx: ctx,
		status: func(pod *corev1.Pod) corev1.PodStatus { return PodStatus(pod, nil) }, told: map[types.UID]bool{},
	}
	server := httptest.NewUnstartedServer(k.handler())
	k.server = server
	server.Config.BaseContext = func(net.Listener) context.Context { return ctx }
	server.StartTLS() // the API server knows no authority of kubelets: it trusts any
	t.Cleanup(func() {
		cancel()
		server.CloseClientConnections()
		server.Close()
		k.removeNode()
	})
	if err := k.makeNode(server.Listener.Addr()); err != nil {
		t.Fatalf("make the node %s: %v", k.Node, err)
	}
	k.watch(t)
	go k.beat()
	return k
}

// Status decides what becomes of the node's pods: of those that are there, and of
// each that comes, once. Until then all of them run and are ready, see [PodStatus].
// What a test writes to a pod's status later stays.
func (k *Kubelet) Status(status func(*corev1.Pod) corev1.PodStatus) {
	k.mu.Lock()
	k.status = status
	clear(k.told)
	k.mu.Unlock()
	for _, pod := range k.pods.List() {
		k.sync(pod.(*corev1.Pod))
	}
}

// Stop lets the API server not reach it any more: connections are refused.
func (k *Kubelet) Stop() {
	k.server.CloseClientConnections()
	k.server.Close()
}

// makeNode makes a node whose kubelet is at addr.
func (k *Kubelet) makeNode(addr net.Addr) error {
	host, text, err := net.SplitHostPort(addr.String())
	if err != nil {
		return err
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return err
	}
	now := metav1.Now()
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: k.Node, Labels: map[string]string{corev1.LabelHostname: k.Node}},
		Spec:       corev1.NodeSpec{Taints: []corev1.Taint{{Key: kubeletTaint, Effect: corev1.TaintEffectNoSchedule}}},
		Status: corev1.NodeStatus{
			Addresses:       []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: host}},
			DaemonEndpoints: corev1.NodeDaemonEndpoints{KubeletEndpoint: corev1.DaemonEndpoint{Port: int32(port)}},
			Conditions: []corev1.NodeCondition{{
				Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "KubeletReady", LastHeartbeatTime: now, LastTransitionTime: now,
			}},
		},
	}
	_, err = k.cluster.client.CoreV1().Nodes().Create(k.ctx, node, metav1.CreateOptions{})
	return err
}

func (k *Kubelet) removeNode() {
	ctx, cancel := context.WithTimeout(context.Background(), cleanupTimeout)
	defer cancel()
	now := int64(0)
	for _, pod := range k.pods.List() { // nobody else ends them before the garbage collector does
		pod := pod.(*corev1.Pod)
		_ = k.cluster.client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{GracePeriodSeconds: &now})
	}
	_ = k.cluster.client.CoreV1().Nodes().Delete(ctx, k.Node, metav1.DeleteOptions{})
}

// beat renews the node's Lease.
func (k *Kubelet) beat() {
	leases := k.cluster.client.CoordinationV1().Leases(corev1.NamespaceNodeLease)
	tick := time.NewTicker(kubeletBeat)
	defer tick.Stop()
	for {
		seconds, now := int32(40), metav1.NowMicro()
		spec := coordinationv1.LeaseSpec{HolderIdentity: &k.Node, LeaseDurationSeconds: &seconds, RenewTime: &now}
		lease, err := leases.Get(k.ctx, k.Node, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			_, _ = leases.Create(k.ctx, &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: k.Node}, Spec: spec}, metav1.CreateOptions{})
		} else if err == nil {
			lease.Spec = spec
			_, _ = leases.Update(k.ctx, lease, metav1.UpdateOptions{})
		}
		select {
		case <-tick.C:
		case <-k.ctx.Done():
			return
		}
	}
}

// watch follows the node's pods.
func (k *Kubelet) watch(t testing.TB) {
	t.Helper()
	factory := informers.NewSharedInformerFactoryWithOptions(k.cluster.client, 0, informers.WithTweakListOptions(func(o *metav1.ListOptions) {
		o.FieldSelector = fields.OneTermEqualSelector("spec.nodeName", k.Node).String()
	}))
	informer := factory.Core().V1().Pods().Informer()
	k.pods = informer.GetStore()
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(pod any) { k.sync(pod.(*corev1.Pod)) },
		UpdateFunc: func(_, pod any) { k.sync(pod.(*corev1.Pod)) },
	})
	if err != nil {
		t.Fatalf("watch the pods of %s: %v", k.Node, err)
	}
	factory.Start(k.ctx.Done())
	if !cache.WaitForCacheSync(k.ctx.Done(), informer.HasSynced) {
		t.Fatalf("the pods of %s were not listed", k.Node)
	}
}

// sync does what a kubelet does about a pod: it ends one that is deleted, and
// tells the status of every other.
func (k *Kubelet) sync(pod *corev1.Pod) {
	pods := k.cluster.client.CoreV1().Pods(pod.Namespace)
	if pod.DeletionTimestamp != nil {
		now := int64(0)
		_ = pods.Delete(k.ctx, pod.Name, metav1.DeleteOptions{GracePeriodSeconds: &now, Preconditions: metav1.NewUIDPreconditions(string(pod.UID))})
		return
	}
	k.mu.Lock()
	known, status := k.told[pod.UID], k.status
	k.told[pod.UID] = true
	k.mu.Unlock()
	if known {
		return
	}
	_ = retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		live, err := pods.Get(k.ctx, pod.Name, metav1.GetOptions{})
		if err != nil || live.UID != pod.UID {
			return err
		}
		live.Status = status(live)
		_, err = pods.UpdateStatus(k.ctx, live, metav1.UpdateOptions{})
		return err
	})
}

// PodStatus is what a kubelet says of a pod whose containers are in the given
// states, by name. Containers that are not among them run and are ready, and init
// containers have finished. What is left out of a state and has to be there for
// logs is filled in, such as the ids of containers.
func PodStatus(pod *corev1.Pod, containers map[string]corev1.ContainerStatus) corev1.PodStatus {
	now := metav1.Now()
	status := corev1.PodStatus{Phase: corev1.PodRunning, HostIP: "127.0.0.1", StartTime: &now}
	digest := sha256.Sum256([]byte(pod.UID)) // nothing listens there, but endpoints are made of it
	status.PodIP = fmt.Sprintf("10.245.%d.%d", digest[0], digest[1])
	status.PodIPs = []corev1.PodIP{{IP: status.PodIP}}
	id := func(name string, run int32) string { return fmt.Sprintf("stub://%s-%s-%d", pod.UID, name, run) }
	ready, initialized := true, true
	fill := func(c corev1.Container, init bool) corev1.ContainerStatus {
		sidecar := c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
		s, told := containers[c.Name]
		switch {
		case told:
		case init && !sidecar:
			s.Ready, s.State.Terminated = true, &corev1.ContainerStateTerminated{Reason: "Completed", StartedAt: now, FinishedAt: now}
		default:
			s.Ready, s.Started, s.State.Running = true, new(true), &corev1.ContainerStateRunning{StartedAt: now}
		}
		s.Name, s.Image = c.Name, c.Image
		if s.State.Running != nil || s.State.Terminated != nil {
			s.ContainerID = id(c.Name, s.RestartCount)
		}
		if end := s.State.Terminated; end != nil {
			end.ContainerID = s.ContainerID
		}
		if end := s.LastTerminationState.Terminated; end != nil {
			end.ContainerID = id(c.Name, s.RestartCount-1)
		}
		if init && !s.Ready {
			initialized = false
		}
		ready = ready && s.Ready
		return s
	}
	for _, c := range pod.Spec.InitContainers {
		status.InitContainerStatuses = append(status.InitContainerStatuses, fill(c, true))
	}
	for _, c := range pod.Spec.Containers {
		status.ContainerStatuses = append(status.ContainerStatuses, fill(c, false))
	}
	if !initialized {
		status.Phase = corev1.PodPending
	}
	condition := func(kind corev1.PodConditionType, is bool, reason string) {
		c := corev1.PodCondition{Type: kind, Status: corev1.ConditionTrue, LastTransitionTime: now}
		if !is {
			c.Status, c.Reason = corev1.ConditionFalse, reason
		}
		status.Conditions = append(status.Conditions, c)
	}
	condition(corev1.PodScheduled, true, "")
	condition(corev1.PodInitialized, initialized, "ContainersNotInitialized")
	condition(corev1.ContainersReady, ready, "ContainersNotReady")
	if gate := unsetGate(pod); ready && gate != "" {
		condition(corev1.PodReady, false, "ReadinessGatesNotReady")
		status.Conditions[len(status.Conditions)-1].Message = fmt.Sprintf("corresponding condition of pod readiness gate %q does not exist.", gate)
		return status
	}
	condition(corev1.PodReady, ready, "ContainersNotReady")
	return status
}

// unsetGate is a readiness gate of a pod that nobody has set yet; empty: none.
func unsetGate(pod *corev1.Pod) corev1.PodConditionType {
	for _, gate := range pod.Spec.ReadinessGates {
		if !slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == gate.ConditionType }) {
			return gate.ConditionType
		}
	}
	return ""
}

// CrashLoop is a container that has ended so often with an exit code, and waits to
// be started again.
func CrashLoop(exitCode, restarts int32) corev1.ContainerStatus {
	now := metav1.Now()
	return corev1.ContainerStatus{
		RestartCount: restarts,
		State:        corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: "back-off restarting failed container"}},
		LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
			ExitCode: exitCode, Reason: "Error", StartedAt: now, FinishedAt: now,
		}},
	}
}

// WaitingFor is a container that has never run.
func WaitingFor(reason, message string) corev1.ContainerStatus {
	return corev1.ContainerStatus{State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}}
}

// AwaitPods waits until the node has so many pods, each with a status, and returns
// them.
func (k *Kubelet) AwaitPods(t testing.TB, n int) []*corev1.Pod {
	t.Helper()
	var pods []*corev1.Pod
	Eventually(t, Hang, fmt.Sprintf("%d pods on %s", n, k.Node), func() error {
		pods = nil
		for _, obj := range k.pods.List() {
			if pod := obj.(*corev1.Pod); pod.Status.StartTime != nil && pod.DeletionTimestamp == nil {
				pods = append(pods, pod)
			}
		}
		if len(pods) != n {
			return errors.New("there are " + strconv.Itoa(len(pods)))
		}
		return nil
	})
	return pods
}
