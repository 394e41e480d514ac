package cluster

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/connrotation"
)

// Cluster is one connection. It is made without network traffic and connects
// at its first use. It is safe for concurrent use.
type Cluster struct {
	name, host, source, expectedUID string

	clients    map[schema.GroupVersion]*rest.RESTClient
	root       *rest.RESTClient // for /version
	credential *credential      // nil: a static one, or none
	nobody     bool             // there is none
	transport  *http.Transport

	listener func(Request) // is told of every request; nil: nobody

	ctx  context.Context // ends with Close
	stop context.CancelFunc

	contacted atomic.Bool // some answer came: the cluster exists
	firstDial atomic.Pointer[time.Time]
	muted     atomic.Bool           // writing Events is forbidden
	deaf      atomic.Pointer[error] // why reading them is
	outage    outage
	time      atomic.Pointer[told]
	flights   flights

	mu        sync.Mutex
	checked   bool // checkErr and version hold for the rest of the run
	checkErr  error
	version   string
	user      *string
	views     map[string]*View
	preflight map[string]*Preflight
	serves    map[string]bool // by group, version and plural name: see Serves

	namespaces map[string]*string // their uids, by name; nil: there is none
}

// Name is what the user calls the cluster.
func (c *Cluster) Name() string { return c.name }

// Host is the API server's address.
func (c *Cluster) Host() string { return c.host }

// Source says in words where the connection comes from: which kubeconfig and
// context, or attributes.
func (c *Cluster) Source() string { return c.source }

// endOfWatches is a time in which the streams of watches that were ended are gone. A
// connection that still has one is not idle.
const endOfWatches = time.Second

// Close ends watches, and connections as soon as nothing goes over them any more.
func (c *Cluster) Close() {
	c.stop()
	c.transport.CloseIdleConnections()
	time.AfterFunc(endOfWatches, c.transport.CloseIdleConnections)
}

// New checks cfg and prepares the connection. Errors are *ConfigError.
//
// Nothing is looked up that cfg does not name: no $KUBECONFIG, no
// ~/.kube/config, no service account of the pod we run in, no localhost.
func New(cfg Config) (*Cluster, error) {
	config, source, err := cfg.rest()
	if err != nil {
		return nil, err
	}
	return cfg.connect(config, source)
}

// connect prepares the connection that client-go's configuration describes.
func (cfg *Config) connect(config *rest.Config, source string) (*Cluster, error) {
	c := &Cluster{
		name: cfg.Name, host: config.Host, source: source, expectedUID: cfg.ExpectedUID, listener: cfg.Listener,
		clients: map[schema.GroupVersion]*rest.RESTClient{},
		views:   map[string]*View{}, preflight: map[string]*Preflight{}, serves: map[string]bool{}, namespaces: map[string]*string{},
	}
	c.nobody = anonymous(config)
	c.ctx, c.stop = context.WithCancel(context.Background())
	client, err := c.httpClient(config)
	if err != nil {
		return nil, &ConfigError{Cluster: cfg.Name, Summary: "The connection cannot be set up", Detail: err.Error()}
	}
	config.NegotiatedSerializer = codecs
	config.QPS = -1 // the API server's priority and fairness is the limit
	for _, r := range resources {
		if c.clients[r.gv] != nil {
			continue
		}
		if c.clients[r.gv], err = restClient(*config, r.gv, client); err != nil {
			return nil, cfg.fault(cfg.where("host"), "Invalid host", "%s.", err)
		}
	}
	c.root = c.clients[schema.GroupVersion{Version: "v1"}]
	return c, nil
}

func restClient(config rest.Config, gv schema.GroupVersion, client *http.Client) (*rest.RESTClient, error) {
	config.GroupVersion = &gv
	config.APIPath = "/apis"
	if gv.Group == "" {
		config.APIPath = "/api"
	}
	config.ContentType = "application/vnd.kubernetes.protobuf"
	if custom(gv) { // JSON, in both directions
		config.ContentType = runtime.ContentTypeJSON
	}
	config.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	config.WarningHandlerWithContext = rest.NoWarnings{}
	return rest.RESTClientForConfigAndClient(&config, client)
}

// httpClient makes our own transport instead of client-go's: its dial timeout
// is 30 s, and its health check leaves a half-open watch unnoticed for 45 s.
func (c *Cluster) httpClient(config *rest.Config) (*http.Client, error) {
	plugin := config.ExecProvider
	config.ExecProvider = nil // ours, see credential
	tlsConfig, err := rest.TLSConfigFor(config)
	if err != nil {
		return nil, err
	}
	if tlsConfig == nil {
		tlsConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	dialer := connrotation.NewDialer((&net.Dialer{
		Timeout:         connectPatience,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3},
	}).DialContext)
	if plugin != nil && config.BearerToken == "" {
		c.credential = &credential{c: c, plugin: plugin, server: serverInfo(config, plugin), rotate: dialer.CloseAll}
		if len(tlsConfig.Certificates) == 0 && tlsConfig.GetClientCertificate == nil {
			tlsConfig.GetClientCertificate = c.credential.certificate
		}
	}
	proxy := http.ProxyFromEnvironment
	if config.Proxy != nil {
		proxy = config.Proxy
	}
	c.transport = &http.Transport{
		Proxy: proxy, OnProxyConnectResponse: tunnelled, DialContext: dialer.DialContext, TLSClientConfig: tlsConfig,
		TLSHandshakeTimeout: connectPatience, MaxIdleConnsPerHost: 25, IdleConnTimeout: 90 * time.Second,
		DisableCompression: config.DisableCompression,
		ForceAttemptHTTP2:  true,
		HTTP2:              &http.HTTP2Config{SendPingTimeout: 10 * time.Second, PingTimeout: 5 * time.Second},
	}
	var rt http.RoundTripper = &recorder{c, c.transport}
	if c.credential != nil {
		rt = &bearer{c.credential, rt}
	}
	if rt, err = rest.HTTPWrappersForConfig(config, rt); err != nil {
		return nil, err
	}
	// A redirect could lead to another cluster.
	return &http.Client{Transport: rt, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, nil
}
