package workload

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

type probes struct{ readiness, liveness, startup *corev1.Probe }

func renderProbes(c release.Container) (p probes, err error) {
	if p.readiness, err = probe(c.ReadinessProbe, c.Ports); err != nil {
		return p, fmt.Errorf("readiness probe: %w", err)
	}
	if p.liveness, err = probe(c.LivenessProbe, c.Ports); err != nil {
		return p, fmt.Errorf("liveness probe: %w", err)
	}
	if p.startup, err = probe(c.StartupProbe, c.Ports); err != nil {
		return p, fmt.Errorf("startup probe: %w", err)
	}
	return p, nil
}

// probe renders numbers the user left out as zero, which is "unset" on the
// wire: the server's defaults apply and are not ours.
func probe(p *release.Probe, declared map[string]int32) (*corev1.Probe, error) {
	if p == nil {
		return nil, nil
	}
	r := &corev1.Probe{
		InitialDelaySeconds: number(p.InitialDelaySeconds),
		PeriodSeconds:       number(p.PeriodSeconds),
		TimeoutSeconds:      number(p.TimeoutSeconds),
		SuccessThreshold:    number(p.SuccessThreshold),
		FailureThreshold:    number(p.FailureThreshold),
	}
	switch {
	case p.HTTPGet != nil:
		r.HTTPGet = &corev1.HTTPGetAction{
			Path:        p.HTTPGet.Path,
			Port:        intstr.Parse(p.HTTPGet.Port),
			Scheme:      corev1.URIScheme(p.HTTPGet.Scheme),
			HTTPHeaders: headers(p.HTTPGet.Headers),
		}
	case p.TCPSocket != nil:
		r.TCPSocket = &corev1.TCPSocketAction{Port: intstr.Parse(p.TCPSocket.Port)}
	case p.GRPC != nil:
		port, err := portNumber(p.GRPC.Port, declared)
		if err != nil {
			return nil, err
		}
		r.GRPC = &corev1.GRPCAction{Port: port}
		if p.GRPC.Service != "" {
			r.GRPC.Service = &p.GRPC.Service
		}
	case len(p.Exec) > 0:
		r.Exec = &corev1.ExecAction{Command: p.Exec}
	default:
		return nil, fmt.Errorf("it has no handler")
	}
	return r, nil
}

// portNumber resolves a port's name: Kubernetes takes names for HTTP and TCP
// probes, but only numbers for gRPC.
func portNumber(port string, declared map[string]int32) (int32, error) {
	if n, ok := declared[port]; ok {
		return n, nil
	}
	n, err := strconv.ParseInt(port, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("port %q is neither declared nor a number", port)
	}
	return int32(n), nil
}

func headers(values map[string]string) []corev1.HTTPHeader {
	var list []corev1.HTTPHeader
	for _, name := range slices.Sorted(maps.Keys(values)) {
		list = append(list, corev1.HTTPHeader{Name: name, Value: values[name]})
	}
	return list
}

func number(n *int32) int32 {
	if n == nil {
		return 0
	}
	return *n
}
