package main

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// The application of examples/quickstart, and the labels that say what is whose.
const (
	application = "web"
	managed     = "app.kubernetes.io/managed-by=switchback"

	labelDeployment   = "switchback.dev/deployment"
	labelCustody      = "switchback.dev/custody"
	annotationVersion = "switchback.dev/version"
)

// sight is what stands in the cluster of the application.
type sight struct {
	main        string // the deployment that the address selects
	deployments []seen
}

type seen struct {
	name, version, custody string
	want, ready            int
	pods                   []string // their UIDs
}

// metadata is what the demo reads of any object.
type metadata struct {
	Name        string            `json:"name"`
	UID         string            `json:"uid"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

// look reads the cluster.
func look(ctx context.Context, c api) (sight, error) {
	var s sight
	var workloads struct {
		Items []struct {
			Metadata metadata `json:"metadata"`
			Spec     struct {
				Replicas int `json:"replicas"`
			} `json:"spec"`
			Status struct {
				ReadyReplicas int `json:"readyReplicas"`
			} `json:"status"`
		} `json:"items"`
	}
	var records, pods struct {
		Items []struct {
			Metadata metadata `json:"metadata"`
		} `json:"items"`
	}
	var services struct {
		Items []struct {
			Metadata metadata `json:"metadata"`
			Spec     struct {
				Selector map[string]string `json:"selector"`
			} `json:"spec"`
		} `json:"items"`
	}
	for path, into := range map[string]any{
		"/apis/apps/v1/namespaces/%s/deployments": &workloads,
		"/api/v1/namespaces/%s/configmaps":        &records,
		"/api/v1/namespaces/%s/pods":              &pods,
		"/api/v1/namespaces/%s/services":          &services,
	} {
		if err := c.get(ctx, fmt.Sprintf(path, namespace)+"?labelSelector="+managed, into); err != nil {
			return s, err
		}
	}
	for _, service := range services.Items {
		if service.Metadata.Name == application {
			s.main = service.Spec.Selector[labelDeployment]
		}
	}
	for _, w := range workloads.Items {
		d := seen{name: w.Metadata.Name, version: w.Metadata.Annotations[annotationVersion], want: w.Spec.Replicas, ready: w.Status.ReadyReplicas}
		for _, record := range records.Items {
			if record.Metadata.Name == d.name {
				d.custody = record.Metadata.Labels[labelCustody]
			}
		}
		for _, pod := range pods.Items {
			if pod.Metadata.Labels[labelDeployment] == d.name {
				d.pods = append(d.pods, pod.Metadata.UID)
			}
		}
		s.deployments = append(s.deployments, d)
	}
	return s, nil
}

// of is the deployment of a version.
func (s sight) of(version string) (seen, bool) {
	for _, d := range s.deployments {
		if d.version == version {
			return d, true
		}
	}
	return seen{}, false
}

// show prints the sight as a table.
func (s sight) show() {
	if len(s.deployments) == 0 {
		say("    In the cluster: nothing is left.")
		return
	}
	say("    In the cluster:")
	say("      %-14s %-8s %-6s %-8s %s", "deployment", "version", "pods", "traffic", "custody")
	for _, d := range s.deployments {
		traffic := "-"
		if d.name == s.main {
			traffic = "100 %"
		}
		say("      %-14s %-8s %-6s %-8s %s", d.name, d.version, fmt.Sprintf("%d/%d", d.ready, d.want), traffic, d.custody)
	}
}

// guard looks at the application's address again and again, and counts how
// often no ready pod was behind it.
type guard struct {
	stop context.CancelFunc
	done sync.WaitGroup

	looks, empty int
	every        time.Duration
}

// watchAddress starts a guard.
func watchAddress(ctx context.Context, c *cluster) *guard {
	ctx, cancel := context.WithCancel(ctx)
	g := &guard{stop: cancel, every: 50 * time.Millisecond}
	if c.simulated == nil {
		g.every = time.Second // each look starts a kubectl
	}
	g.done.Go(func() {
		for pause(ctx, g.every) == nil {
			ready, err := readyBehind(ctx, c)
			if err != nil {
				continue // could not look
			}
			g.looks++
			if ready == 0 {
				g.empty++
			}
		}
	})
	return g
}

// end stops the guard and says what it saw.
func (g *guard) end() error {
	g.stop()
	g.done.Wait()
	if g.empty > 0 {
		return fmt.Errorf("the application's address had no ready pod in %d of %d looks", g.empty, g.looks)
	}
	say("\nMeanwhile the demo looked at the application's address %d times, every %s: each time ready pods were behind it.", g.looks, g.every)
	return nil
}

// readyBehind counts the ready pods behind the application's address.
func readyBehind(ctx context.Context, c api) (int, error) {
	var slices struct {
		Items []struct {
			Endpoints []struct {
				Conditions struct {
					Ready *bool `json:"ready"`
				} `json:"conditions"`
			} `json:"endpoints"`
		} `json:"items"`
	}
	path := fmt.Sprintf("/apis/discovery.k8s.io/v1/namespaces/%s/endpointslices?labelSelector=kubernetes.io/service-name=%s", namespace, application)
	if err := c.get(ctx, path, &slices); err != nil {
		return 0, err
	}
	ready := 0
	for _, slice := range slices.Items {
		for _, endpoint := range slice.Endpoints {
			if endpoint.Conditions.Ready == nil || *endpoint.Conditions.Ready {
				ready++
			}
		}
	}
	return ready, nil
}
