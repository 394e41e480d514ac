package cluster

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiruntime "k8s.io/apimachinery/pkg/runtime"
	clientauthentication "k8s.io/client-go/pkg/apis/clientauthentication/v1"
	"k8s.io/client-go/rest"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// pluginTimeout bounds one call of an exec plugin. Nobody is there to answer
// questions, so what takes longer hangs. It ends sooner where nobody waits for it
// any more, with all the processes that it has started.
const pluginTimeout = 60 * time.Second

// credential gets tokens or client certificates from an exec plugin and keeps
// them: one call a cluster, another when they expire or are refused. client-go
// has the same, but writes the plugin's stderr to our own, where a Terraform
// user does not see it; here it is quoted in the error.
type credential struct {
	c      *Cluster
	plugin *clientcmdapi.ExecConfig
	server *clientauthentication.Cluster // nil unless the kubeconfig wants it to be told
	rotate func()                        // closes connections made with an older certificate

	flights flights
	mu      sync.Mutex
	held    *held     // nil: none yet, or it was refused
	latest  *held     // as the plugin last gave it
	cert    bool      // connections were made with a certificate
	called  time.Time // when the plugin was, while it runs
}

// held is one credential, as the plugin gave it.
type held struct {
	token   string
	cert    *tls.Certificate
	expires time.Time
}

// ready gets the credential of a request before it is sent, so that the plugin's
// time is not taken for the API server's. There is none without a plugin.
func (k *credential) ready(ctx context.Context) (*held, error) {
	if k == nil {
		return nil, nil
	}
	return k.get(ctx)
}

func (k *credential) get(ctx context.Context) (*held, error) {
	current := func() *held {
		k.mu.Lock()
		defer k.mu.Unlock()
		if h := k.held; h != nil && (h.expires.IsZero() || time.Now().Before(h.expires)) {
			return h
		}
		return nil
	}
	if h := current(); h != nil {
		return h, nil
	}
	done, err := k.flights.join(ctx, k.c.ctx, "", func(ctx context.Context) error {
		if current() != nil { // since we asked
			return nil
		}
		return k.refresh(ctx)
	})
	switch {
	case !done && k.unfinished() != nil:
		return nil, k.unfinished()
	case !done:
		return nil, context.Cause(ctx)
	case err != nil:
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.latest, nil // even where it has been refused meanwhile, or our clock is wrong
}

// unfinished blames the plugin where it is the one that is waited for.
func (k *credential) unfinished() error {
	if k == nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.called.IsZero() {
		return nil
	}
	after := time.Since(k.called).Round(100 * time.Millisecond)
	return &CredentialError{k.c.name, k.c.host, k.c.source, fmt.Errorf("exec plugin %q had not finished after %s", k.plugin.Command, after)}
}

// drop forgets h, if it is still the one held, because the server refused it.
func (k *credential) drop(h *held) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.held == h {
		k.held = nil
	}
}

func (k *credential) refresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, pluginTimeout, fmt.Errorf("it did not finish within %s", pluginTimeout))
	defer cancel()
	k.mu.Lock()
	k.called = time.Now()
	k.mu.Unlock()
	h, err := k.run(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.called = time.Time{}
	if err != nil {
		return &CredentialError{k.c.name, k.c.host, k.c.source, err}
	}
	if k.cert {
		k.rotate()
	}
	k.held, k.latest, k.cert = h, h, h.cert != nil
	return nil
}

func (k *credential) run(ctx context.Context) (*held, error) {
	info, err := json.Marshal(clientauthentication.ExecCredential{
		TypeMeta: metav1.TypeMeta{APIVersion: k.plugin.APIVersion, Kind: "ExecCredential"},
		Spec:     clientauthentication.ExecCredentialSpec{Cluster: k.server},
	})
	if err != nil {
		return nil, err
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, k.plugin.Command, k.plugin.Args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = time.Second // a grandchild may keep the pipes open
	cmd.Env = os.Environ()
	for _, e := range k.plugin.Env {
		cmd.Env = append(cmd.Env, e.Name+"="+e.Value)
	}
	cmd.Env = append(cmd.Env, "KUBERNETES_EXEC_INFO="+string(info))
	isolate(cmd)
	// Where the kernel ends the plugin with us, it goes by the thread that
	// started it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// What has printed its credential and leaves something behind that keeps the
	// pipes, such as an agent, has done what it was called for.
	if err := cmd.Run(); err != nil && (ctx.Err() != nil || !errors.Is(err, exec.ErrWaitDelay)) {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, k.blame(fmt.Sprintf("failed: %s", err), stderr.String())
	}
	h, err := k.parse(stdout.Bytes())
	if err != nil {
		// What it printed is not quoted: it may hold the credential.
		return nil, k.blame(err.Error(), stderr.String())
	}
	return h, nil
}

func (k *credential) parse(stdout []byte) (*held, error) {
	var answer clientauthentication.ExecCredential
	if err := json.Unmarshal(stdout, &answer); err != nil {
		return nil, fmt.Errorf("printed %d bytes that are not an ExecCredential in JSON", len(stdout))
	}
	s := answer.Status
	switch {
	case answer.Kind != "ExecCredential" || answer.APIVersion != k.plugin.APIVersion:
		return nil, fmt.Errorf("printed a %q of %q instead of an ExecCredential of %q", answer.Kind, answer.APIVersion, k.plugin.APIVersion)
	case s == nil || s.Token == "" && s.ClientCertificateData == "":
		return nil, errors.New("printed an ExecCredential without a token or a client certificate")
	}
	h := &held{token: strings.TrimSpace(s.Token)}
	if err := sendable(h.token); err != nil {
		return nil, fmt.Errorf("printed a token that cannot be sent: %w", err)
	}
	if s.ExpirationTimestamp != nil {
		h.expires = s.ExpirationTimestamp.Time
	}
	if s.ClientCertificateData != "" {
		cert, err := tls.X509KeyPair([]byte(s.ClientCertificateData), []byte(s.ClientKeyData))
		if err != nil {
			return nil, errors.New("printed a client certificate and key that do not belong together or are not PEM")
		}
		h.cert = &cert
	}
	return h, nil
}

func (k *credential) blame(what, stderr string) error {
	text := fmt.Sprintf("exec plugin %q %s", k.plugin.Command, what)
	if said := concealed(strings.TrimSpace(stderr), k.plugin); said != "" {
		text += "\nit said on stderr: " + said
	} else {
		text += " (it said nothing on stderr)"
	}
	return errors.New(text)
}

// What looks like a secret in a plugin's own words: JSON web tokens, PEM
// blocks, name=value of telling names, and long runs of token characters.
var secrets = []*regexp.Regexp{
	regexp.MustCompile(`(?s)-----BEGIN [A-Z ]+-----.*?(-----END [A-Z ]+-----|$)`),
	regexp.MustCompile(`(?i)\b(bearer|basic)\s+[^\s"']+`),
	regexp.MustCompile(`(?i)\b[\w-]*(token|passw(or)?d|secret|key|credential|signature)[\w-]*["']?\s*[:=]\s*["']?[^\s"',;&]+`),
	regexp.MustCompile(`\b(eyJ|k8s-aws-v1\.|ya29\.)[\w.-]+`),
	regexp.MustCompile(`[A-Za-z0-9_+=~-]{32,}`),
}

func concealed(text string, plugin *clientcmdapi.ExecConfig) string {
	const limit = 2000
	for _, e := range plugin.Env {
		if len(e.Value) >= 6 {
			text = strings.ReplaceAll(text, e.Value, "***")
		}
	}
	for _, s := range secrets {
		text = s.ReplaceAllString(text, "***")
	}
	if len(text) > limit {
		text = strings.ToValidUTF8(text[:limit], "") + " …"
	}
	return text
}

// certificate is a tls.Config.GetClientCertificate.
func (k *credential) certificate(info *tls.CertificateRequestInfo) (*tls.Certificate, error) {
	h, err := k.get(info.Context())
	if err != nil {
		return nil, err
	}
	if h.cert == nil {
		return &tls.Certificate{}, nil
	}
	return h.cert, nil
}

// bearer puts the credential on requests and forgets it where it is refused.
type bearer struct {
	k    *credential
	base http.RoundTripper
}

func (b *bearer) RoundTrip(req *http.Request) (*http.Response, error) {
	var h *held
	if at, _ := req.Context().Value(attemptKey{}).(*attempt); at != nil {
		h = at.held
	}
	if h == nil {
		var err error
		if h, err = b.k.get(req.Context()); err != nil {
			return nil, err
		}
	}
	if h.token != "" {
		req = req.Clone(req.Context())
		req.Header.Set("Authorization", "Bearer "+h.token)
	}
	resp, err := b.base.RoundTrip(req)
	if err == nil && resp.StatusCode == http.StatusUnauthorized {
		b.k.drop(h)
	}
	return resp, err
}

// serverInfo is what a kubeconfig with provideClusterInfo tells its plugin.
func serverInfo(config *rest.Config, plugin *clientcmdapi.ExecConfig) *clientauthentication.Cluster {
	if !plugin.ProvideClusterInfo {
		return nil
	}
	info := &clientauthentication.Cluster{
		Server:                   config.Host,
		TLSServerName:            config.ServerName,
		InsecureSkipTLSVerify:    config.Insecure,
		CertificateAuthorityData: config.CAData,
		DisableCompression:       config.DisableCompression,
	}
	if config.Proxy != nil {
		if req, err := http.NewRequest(http.MethodGet, config.Host, http.NoBody); err == nil {
			if u, err := config.Proxy(req); err == nil && u != nil {
				info.ProxyURL = u.String()
			}
		}
	}
	if unknown, ok := plugin.Config.(*apiruntime.Unknown); ok {
		info.Config = apiruntime.RawExtension{Raw: unknown.Raw}
	}
	return info
}
