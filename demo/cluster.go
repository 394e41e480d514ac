package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/devtools"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testnode"
)

// namespace is made by the demo and removed with everything in it.
const namespace = "switchback-demo"

// somebody is who changes things behind Terraform's back.
const somebody = "somebody"

// cluster is where the demo happens.
type cluster struct {
	kubeconfig, context string
	api
	simulated *exec.Cmd         // nil: no simulated one
	node      *testnode.Cluster // nil: none with a real node
	gateway   testnode.Gateway  // of that
	stdin     io.Closer
	exited    chan struct{}
}

// api is the little that the demo itself asks of a cluster.
type api interface {
	get(ctx context.Context, path string, into any) error
	patch(ctx context.Context, object, body string) error // object is like services/web
	makeNamespace(ctx context.Context) error
	removeNamespace(ctx context.Context) error
}

// connect starts the simulated cluster, or takes the reader's, and makes the
// namespace.
func connect(ctx context.Context, o options) (*cluster, error) {
	c := &cluster{kubeconfig: o.kubeconfig, context: o.context}
	var err error
	if o.gateway {
		err = c.realNode(ctx)
	} else if o.kubeconfig != "" {
		if c.kubeconfig, err = absolute(o.kubeconfig); err == nil {
			c.api, err = newKubectl(c.kubeconfig, c.context)
		}
	} else if err = c.simulate(ctx); err == nil {
		c.api, err = newDirect(c.kubeconfig)
	}
	if err == nil {
		err = c.makeNamespace(ctx)
	}
	if err != nil {
		c.end()
		return nil, err
	}
	return c, nil
}

// absolute is a path that a shell may have left with its "~".
func absolute(path string) (string, error) {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		home, err := os.UserHomeDir()
		return filepath.Join(home, rest), err
	}
	return filepath.Abs(path)
}

// variables are the configuration's, as far as they are about the cluster.
func (c *cluster) variables() map[string]any {
	v := map[string]any{"kubeconfig": c.kubeconfig, "namespace": namespace}
	if c.context != "" {
		v["context"] = c.context
	}
	if c.node != nil {
		v["gateway"] = map[string]string{"name": c.gateway.Name, "namespace": c.gateway.Namespace}
		v["hostname"], v["pause"] = hostname, "10s"
	}
	return v
}

// outlivesUs says that the cluster stays when this process ends.
func (c *cluster) outlivesUs() bool { return c.simulated == nil && c.node == nil }

// close leaves nothing behind.
func (c *cluster) close(ctx context.Context) error {
	if c.node != nil {
		return c.node.Down()
	}
	if c.simulated != nil {
		c.end()
		return nil
	}
	say("Removing the namespace %s …", namespace)
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	return c.removeNamespace(ctx)
}

// realNode starts a cluster on whose node containers run, and its gateway.
func (c *cluster) realNode(ctx context.Context) (err error) {
	say("Starting a cluster with a real node, on which containers run, and a gateway (Traefik) …")
	if c.node, err = testnode.Up(ctx, testnode.Options{}, os.Stderr); err != nil {
		return err
	}
	c.kubeconfig = c.node.KubeconfigPath
	if c.gateway, err = c.node.Gateway(ctx, os.Stderr); err != nil {
		return err
	}
	c.api, err = newDirect(c.kubeconfig)
	return err
}

// simulate starts a whole control plane in one process, with simulated nodes.
func (c *cluster) simulate(ctx context.Context) error {
	program, err := devtools.Devcluster.Build(ctx, os.Stderr)
	if err != nil {
		return err
	}
	say("Starting a simulated cluster: a real Kubernetes control plane, whose nodes only say that they run pods …")
	var complaints bytes.Buffer
	c.simulated = exec.Command(program, "-nodes", "2", "-exit-on-stdin-eof") //nolint:noctx // end ends it
	c.simulated.Stderr = &complaints
	c.simulated.WaitDelay = time.Second
	if c.stdin, err = c.simulated.StdinPipe(); err != nil {
		return err
	}
	output, err := c.simulated.StdoutPipe()
	if err != nil {
		return err
	}
	if err := c.simulated.Start(); err != nil {
		return err
	}
	ready, exited := make(chan string, 1), make(chan struct{})
	c.exited = exited
	go func() {
		line, _ := bufio.NewReader(output).ReadString('\n')
		ready <- strings.TrimSpace(line)
		_ = c.simulated.Wait()
		close(exited)
	}()
	select {
	case c.kubeconfig = <-ready:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if c.kubeconfig == "" {
		<-exited
		return fmt.Errorf("the simulated cluster did not start:\n%s", complaints.String())
	}
	return nil
}

// end stops the simulated cluster, which ends with its standard input, or the one with a
// real node.
func (c *cluster) end() {
	if c.node != nil {
		_ = c.node.Down()
	}
	if c.exited == nil {
		return
	}
	_ = c.stdin.Close()
	select {
	case <-c.exited:
	case <-time.After(5 * time.Second):
		_ = c.simulated.Process.Kill()
		<-c.exited
	}
}

// direct talks to the simulated cluster.
type direct struct {
	server string
	client *http.Client
}

var kubeconfigField = regexp.MustCompile(`(?m)^ *(server|certificate-authority-data|client-certificate-data|client-key-data): (\S+)$`)

// newDirect reads the few fields that the simulated cluster's kubeconfig has.
func newDirect(kubeconfig string) (*direct, error) {
	content, err := os.ReadFile(kubeconfig)
	if err != nil {
		return nil, err
	}
	field := map[string]string{}
	for _, match := range kubeconfigField.FindAllStringSubmatch(string(content), -1) {
		field[match[1]] = match[2]
	}
	decode := func(name string) []byte {
		b, decodeErr := base64.StdEncoding.DecodeString(field[name])
		err = errors.Join(err, decodeErr)
		return b
	}
	ca, cert, key := decode("certificate-authority-data"), decode("client-certificate-data"), decode("client-key-data")
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", kubeconfig, err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	return &direct{field["server"], &http.Client{
		Timeout:   10 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool, Certificates: []tls.Certificate{pair}}},
	}}, nil
}

func (d *direct) do(ctx context.Context, method, path, contentType, body string, into any) error {
	request, err := http.NewRequestWithContext(ctx, method, d.server+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", contentType)
	response, err := d.client.Do(request)
	if err != nil {
		return err
	}
	answer, readErr := io.ReadAll(response.Body)
	if err := errors.Join(readErr, response.Body.Close()); err != nil {
		return err
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("%s %s: %s: %s", method, path, response.Status, answer)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(answer, into)
}

func (d *direct) get(ctx context.Context, path string, into any) error {
	return d.do(ctx, http.MethodGet, path, "application/json", "", into)
}

func (d *direct) patch(ctx context.Context, object, body string) error {
	path := "/api/v1"
	if strings.HasPrefix(object, "deployments/") {
		path = "/apis/apps/v1"
	}
	path += "/namespaces/" + namespace + "/" + object + "?fieldManager=" + somebody
	return d.do(ctx, http.MethodPatch, path, "application/merge-patch+json", body, nil)
}

func (d *direct) makeNamespace(ctx context.Context) error {
	body := fmt.Sprintf(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":%q}}`, namespace)
	return d.do(ctx, http.MethodPost, "/api/v1/namespaces", "application/json", body, nil)
}

func (d *direct) removeNamespace(ctx context.Context) error {
	return d.do(ctx, http.MethodDelete, "/api/v1/namespaces/"+namespace, "application/json", "", nil)
}

// kubectl talks to a cluster of the reader's, whatever its kubeconfig needs.
type kubectl []string

func newKubectl(kubeconfig, context string) (kubectl, error) {
	program, err := exec.LookPath("kubectl")
	if err != nil {
		return nil, fmt.Errorf("with a cluster of your own the demo needs kubectl: %w", err)
	}
	k := kubectl{program, "--kubeconfig", kubeconfig}
	if context != "" {
		k = append(k, "--context", context)
	}
	return k, nil
}

func (k kubectl) run(ctx context.Context, args ...string) ([]byte, error) {
	command := exec.CommandContext(ctx, k[0], append(k[1:len(k):len(k)], args...)...)
	var complaints bytes.Buffer
	command.Stderr = &complaints
	output, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("kubectl %s: %w\n%s", strings.Join(args, " "), err, complaints.String())
	}
	return output, nil
}

func (k kubectl) get(ctx context.Context, path string, into any) error {
	output, err := k.run(ctx, "get", "--raw", path)
	if err != nil {
		return err
	}
	return json.Unmarshal(output, into)
}

func (k kubectl) patch(ctx context.Context, object, body string) error {
	_, err := k.run(ctx, "patch", "--namespace", namespace, object, "--type", "merge", "--field-manager", somebody, "--patch", body)
	return err
}

func (k kubectl) makeNamespace(ctx context.Context) error {
	_, err := k.run(ctx, "create", "namespace", namespace)
	return err
}

func (k kubectl) removeNamespace(ctx context.Context) error {
	_, err := k.run(ctx, "delete", "namespace", namespace, "--ignore-not-found")
	return err
}
