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

// What a readiness or startup probe gets that has neither a period nor a
// failure threshold. Kubernetes would ask every 10 seconds and fail after 3
// answers in a row; asked every 2 seconds, a pod gets its traffic sooner, and
// loses it after the same 30 seconds. Measured on a real node, from apply to
// the healthy release, with an application that is ready after 0.5, 3 and 11
// seconds: 10.5, 7.9 and 15.9 s with Kubernetes' period, 3.2, 5.1 and 13.0 s
// with this one. A period of 1 s gains one second more and probes twice as much.
//
// Liveness probes are Kubernetes' own: to be late there costs nothing, and to
// be early is a restart.
const (
	probePeriodSeconds    int32 = 2
	probeFailureThreshold int32 = 15
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
	soon(p.readiness)
	soon(p.startup)
	return p, nil
}

// soon gives a probe our period and threshold. They belong together: who sets
// one of them counts on Kubernetes' default of the other.
func soon(p *corev1.Probe) {
	if p != nil && p.PeriodSeconds == 0 && p.FailureThreshold == 0 {
		p.PeriodSeconds, p.FailureThreshold = probePeriodSeconds, probeFailureThreshold
	}
}

// probe renders numbers the user left out as zero, which is "unset" on the
// wire: where [soon] sets nothing, the server's defaults apply and are not ours.
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
