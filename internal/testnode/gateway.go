package testnode

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"sync"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	"github.com/switchback-dev/terraform-provider-switchback/internal/devtools"
)

// GatewayProgram is the program that is a cluster's gateway, for [Cluster.Kill],
// [Cluster.End] and [Cluster.Revive].
const GatewayProgram = "traefik"

// Gateway is a data plane of the Gateway API: Traefik, as a program on the node.
// Routes of all namespaces may name its Gateway as their parent.
type Gateway struct {
	Namespace, Name string // of the Gateway

	Web string // host:port of the listener "web": HTTPRoutes, and GRPCRoutes without TLS
	TCP string // host:port of the listener "tcp": one TCPRoute
}

// The ports of the listeners, which are the program's own: it serves a listener
// where it has an entry point with the same port.
const (
	webPort = 80
	tcpPort = 9000
)

// gatewayOnce is the state of a cluster's gateway.
type gatewayOnce struct {
	sync.Mutex
	started *Gateway
}

// Gateway is the cluster's gateway, started when the first one asks. It has to be
// built then, which is told on log. Its Gateway is programmed when this returns.
func (c *Cluster) Gateway(ctx context.Context, log io.Writer) (Gateway, error) {
	c.gateway.Lock()
	defer c.gateway.Unlock()
	if c.gateway.started != nil {
		return *c.gateway.started, nil
	}
	g, err := c.startGateway(ctx, log)
	if err != nil {
		return Gateway{}, c.node.explain(fmt.Errorf("the gateway: %w", err))
	}
	c.gateway.started = &g
	return g, nil
}

// BuildGateway builds what a gateway needs and is not built yet: see [Build].
func BuildGateway(ctx context.Context, log io.Writer) error {
	_, err := devtools.Traefik.Build(ctx, log)
	return err
}

func (c *Cluster) startGateway(ctx context.Context, log io.Writer) (Gateway, error) {
	program, err := devtools.Traefik.Build(ctx, log)
	if err != nil {
		return Gateway{}, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, fmt.Errorf("it was not ready after %s", startTimeout))
	defer cancel()
	l := c.node.layout
	if err := copyProgram(program, l.path("programs", GatewayProgram)); err != nil {
		return Gateway{}, err
	}
	if err := c.defineRoutes(ctx); err != nil {
		return Gateway{}, err
	}
	g := Gateway{Namespace: "gateway", Name: "public", Web: l.listener(webPort), TCP: l.listener(tcpPort)}
	if err := c.declare(ctx, g); err != nil {
		return Gateway{}, err
	}
	if err := c.node.startGateway(ctx); err != nil {
		return Gateway{}, err
	}
	return g, c.untilProgrammed(ctx, g)
}

func (l layout) listener(port int) string { return fmt.Sprintf("%s:%d", l.node(), port) }

// gatewayCommand is the program with its arguments, and what it has in its
// environment. It reads changes at once: it usually takes two seconds' together.
// That the experimental channel is on makes it read TCPRoutes, nothing else.
func (l layout) gatewayCommand() (command, env []string) {
	return []string{
		l.path("programs", GatewayProgram),
		"--global.checknewversion=false", "--global.sendanonymoususage=false", "--log.level=INFO", "--log.nocolor=true",
		"--entrypoints.web.address=" + l.listener(webPort), "--entrypoints.tcp.address=" + l.listener(tcpPort),
		"--providers.providersthrottleduration=50ms",
		"--providers.kubernetesgateway=true", "--providers.kubernetesgateway.experimentalchannel=true",
		"--providers.kubernetesgateway.statusaddress.ip=" + l.node(),
	}, []string{"KUBECONFIG=" + l.kubeconfig()}
}

// copyProgram copies a program into the cluster's directory: the node does not see
// all of the machine's.
func copyProgram(from, to string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = source.Close() }()
	target, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o700)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source)
	return errors.Join(err, target.Close())
}

// declare makes the Gateway and its class.
func (c *Cluster) declare(ctx context.Context, g Gateway) error {
	const (
		group   = "/apis/gateway.networking.k8s.io/v1"
		class   = "{apiVersion: gateway.networking.k8s.io/v1, kind: GatewayClass, metadata: {name: traefik}, spec: {controllerName: traefik.io/gateway-controller}}"
		gateway = `{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: %s}, spec: {gatewayClassName: traefik, listeners: [
  {name: web, protocol: HTTP, port: %d, allowedRoutes: {namespaces: {from: All}}},
  {name: tcp, protocol: TCP, port: %d, allowedRoutes: {namespaces: {from: All}}}]}}`
	)
	namespace := "{apiVersion: v1, kind: Namespace, metadata: {name: " + g.Namespace + "}}"
	return errors.Join(
		c.apply(ctx, path.Join("/api/v1/namespaces", g.Namespace), []byte(namespace)),
		c.apply(ctx, group+"/gatewayclasses/traefik", []byte(class)),
		c.apply(ctx, path.Join(group, "namespaces", g.Namespace, "gateways", g.Name), fmt.Appendf(nil, gateway, g.Name, webPort, tcpPort)),
	)
}

func (c *Cluster) apply(ctx context.Context, at string, object []byte) error {
	err := c.client.Discovery().RESTClient().Patch(types.ApplyYAMLPatchType).AbsPath(at).
		Param("fieldManager", "tests").Param("force", "true").Body(object).Do(ctx).Error()
	if err != nil {
		return fmt.Errorf("apply %s: %w", at, err)
	}
	return nil
}

// untilProgrammed waits until the program serves the Gateway's listeners.
func (c *Cluster) untilProgrammed(ctx context.Context, g Gateway) error {
	at := path.Join("/apis/gateway.networking.k8s.io/v1/namespaces", g.Namespace, "gateways", g.Name)
	return c.until(ctx, func() error {
		content, err := c.client.Discovery().RESTClient().Get().AbsPath(at).Do(ctx).Raw()
		if err != nil {
			return err
		}
		var seen gatewayv1.Gateway
		if err := yaml.Unmarshal(content, &seen); err != nil {
			return err
		}
		programmed := string(gatewayv1.GatewayConditionProgrammed)
		for _, listener := range seen.Status.Listeners {
			if !meta.IsStatusConditionTrue(listener.Conditions, programmed) {
				return fmt.Errorf("the listener %s is not programmed: %v", listener.Name, listener.Conditions)
			}
		}
		if len(seen.Status.Listeners) != len(seen.Spec.Listeners) || !meta.IsStatusConditionTrue(seen.Status.Conditions, programmed) {
			return fmt.Errorf("the Gateway is not programmed: %v", seen.Status.Conditions)
		}
		return nil
	})
}
