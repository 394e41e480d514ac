package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"github.com/spf13/pflag"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	cliflag "k8s.io/component-base/cli/flag"
	_ "k8s.io/component-base/metrics/prometheus/clientgo" // the components expect their metrics registered
	_ "k8s.io/component-base/metrics/prometheus/version"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	apiserveroptions "k8s.io/kubernetes/cmd/kube-apiserver/app/options"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	controllermanageroptions "k8s.io/kubernetes/cmd/kube-controller-manager/app/options"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	scheduleroptions "k8s.io/kubernetes/cmd/kube-scheduler/app/options"
)

// unlimited are the client limits of the components: many tests share one
// cluster, and should not wait for one another's quota.
var unlimited = []string{"--kube-api-qps=1000", "--kube-api-burst=2000"}

// controlPlane is the API server, its clients, and the first failure of any.
//
// The components' own New…Command functions cannot be combined in a process
// (each sets up signal handlers), so that their options are parsed and their
// Run functions called here.
type controlPlane struct {
	cfg        config
	dir        string
	pki        *pki
	listener   net.Listener
	kubeconfig string // the administrator's
	components string // what the components use
	client     kubernetes.Interface
	failed     chan error
}

// newControlPlane prepares certificates, the listener and the kubeconfig. The
// port is bound here and handed over, so that nobody can take it in between.
func newControlPlane(cfg config, dir string) (*controlPlane, error) {
	first, err := firstAddress(cfg.serviceCIDR)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(cfg.bind, fmt.Sprint(cfg.port)))
	if err != nil {
		return nil, err
	}
	addresses := []net.IP{net.IPv4(127, 0, 0, 1), first}
	for _, address := range []string{cfg.bind, cfg.advertise} {
		if ip := net.ParseIP(address); ip != nil {
			addresses = append(addresses, ip)
		}
	}
	certificates, err := openPKI(filepath.Join(dir, "pki"), addresses)
	if err != nil {
		return nil, fmt.Errorf("certificates: %w", err)
	}
	p := &controlPlane{
		cfg:        cfg,
		dir:        dir,
		pki:        certificates,
		listener:   listener,
		kubeconfig: filepath.Join(dir, "kubeconfig"),
		components: filepath.Join(dir, "components.kubeconfig"),
		failed:     make(chan error, 8), // more than there are components: none blocks
	}
	if err := certificates.writeKubeconfigs(p.kubeconfig, p.components, "https://"+listener.Addr().String()); err != nil {
		return nil, err
	}
	restConfig, err := clientcmd.BuildConfigFromFlags("", p.components)
	if err != nil {
		return nil, err
	}
	rest.SetDefaultWarningHandler(rest.NoWarnings{})
	p.client, err = kubernetes.NewForConfig(restConfig)
	return p, err
}

func (p *controlPlane) startAPIServer(ctx context.Context, etcd string) error {
	options := apiserveroptions.NewServerRunOptions()
	if err := parse(options.Flags(),
		"--etcd-servers="+etcd,
		"--bind-address="+p.cfg.bind,
		fmt.Sprintf("--secure-port=%d", p.listener.Addr().(*net.TCPAddr).Port),
		"--advertise-address="+p.cfg.advertise,
		"--endpoint-reconciler-type="+p.cfg.reconciler,
		"--tls-cert-file="+p.pki.file("apiserver.crt"),
		"--tls-private-key-file="+p.pki.file("apiserver.key"),
		"--cert-dir="+filepath.Join(p.dir, "certs"),
		"--client-ca-file="+p.pki.file("ca.crt"),
		"--token-auth-file="+p.pki.file(tokens),
		"--kubelet-client-certificate="+p.pki.file("kubelet-client.crt"),
		"--kubelet-client-key="+p.pki.file("kubelet-client.key"),
		"--kubelet-preferred-address-types=InternalIP",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file="+p.pki.file("service-accounts.pub"),
		"--service-account-signing-key-file="+p.pki.file("service-accounts.key"),
		"--service-cluster-ip-range="+p.cfg.serviceCIDR,
		"--authorization-mode=Node,RBAC",
		"--allow-privileged=true",
		"--enable-priority-and-fairness=false",
	); err != nil {
		return err
	}
	options.SecureServing.Listener = p.listener
	if err := options.GenericServerRunOptions.ComponentGlobalsRegistry.Set(); err != nil {
		return err
	}
	completed, err := options.Complete(ctx)
	if err != nil {
		return err
	}
	if errs := completed.Validate(); len(errs) > 0 {
		return utilerrors.NewAggregate(errs)
	}
	p.spawn("kube-apiserver", func() error { return apiserver.Run(ctx, completed) })
	return p.wait(ctx, func() bool {
		var status int
		p.client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).StatusCode(&status)
		return status == http.StatusOK
	})
}

func (p *controlPlane) startControllerManager(ctx context.Context) error {
	options, err := controllermanageroptions.NewKubeControllerManagerOptions()
	if err != nil {
		return err
	}
	known, disabled, aliases := controllermanager.KnownControllers(), controllermanager.ControllersDisabledByDefault(), controllermanager.ControllerAliases()
	flags := options.Flags(known, disabled, aliases)
	options.ParsedFlags = &flags
	if err := parse(flags, append(unlimited,
		"--kubeconfig="+p.components,
		"--leader-elect=false",
		"--secure-port=0",
		"--root-ca-file="+p.pki.file("ca.crt"),
		"--service-account-private-key-file="+p.pki.file("service-accounts.key"),
		"--service-cluster-ip-range="+p.cfg.serviceCIDR,
		// It makes this directory, for root below /usr if nobody says where.
		"--flex-volume-plugin-dir="+filepath.Join(p.dir, "volume-plugins"),
		// The nodes' addresses and routes are not real, and there is no cloud.
		// Endpoints, which EndpointSlices have replaced, are read by nobody here.
		"--controllers=*,-nodeipam,-service-lb-controller,-cloud-node-lifecycle-controller,-node-route-controller,"+
			"-endpoints-controller,-endpointslice-mirroring-controller",
	)...); err != nil {
		return err
	}
	cfg, err := options.Config(ctx, known, disabled, aliases)
	if err != nil {
		return err
	}
	p.spawn("kube-controller-manager", func() error { return controllermanager.Run(ctx, cfg.Complete()) })
	return nil
}

func (p *controlPlane) startScheduler(ctx context.Context) error {
	options := scheduleroptions.NewOptions()
	if err := parse(*options.Flags, append(unlimited,
		"--kubeconfig="+p.components,
		"--leader-elect=false",
		"--secure-port=0",
	)...); err != nil {
		return err
	}
	completed, sched, err := scheduler.Setup(ctx, options)
	if err != nil {
		return err
	}
	p.spawn("kube-scheduler", func() error { return scheduler.Run(ctx, completed, sched) })
	return nil
}

// waitForServiceAccount waits for what pods need, and what the controllers
// make last.
func (p *controlPlane) waitForServiceAccount(ctx context.Context) error {
	return p.wait(ctx, func() bool {
		_, err := p.client.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
		return err == nil
	})
}

// spawn runs a component, which is never expected to return.
func (p *controlPlane) spawn(name string, run func() error) {
	go func() {
		err := run()
		if err == nil {
			err = errors.New("without an error")
		}
		p.failed <- fmt.Errorf("%s stopped: %w", name, err)
	}()
}

// wait polls until something is true or a component fails. The components'
// start is all that is ever waited for, a few times in a process' life.
func (p *controlPlane) wait(ctx context.Context, ok func() bool) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case err := <-p.failed:
			return err
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}

func parse(sets cliflag.NamedFlagSets, args ...string) error {
	all := pflag.NewFlagSet("", pflag.ContinueOnError)
	for _, set := range sets.FlagSets {
		all.AddFlagSet(set)
	}
	return all.Parse(args)
}

// firstAddress is the one the kubernetes Service gets: the range's first.
func firstAddress(cidr string) (net.IP, error) {
	_, network, err := net.ParseCIDR(cidr)
	if err != nil {
		return nil, err
	}
	first := append(net.IP(nil), network.IP...)
	first[len(first)-1]++
	return first, nil
}
