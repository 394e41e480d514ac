package main

import (
	"context"
	"net/url"
	"path/filepath"

	"go.etcd.io/etcd/server/v3/embed"
)

// startEtcd runs a single-member etcd and returns the URL of its socket, once
// it takes requests. It listens on unix sockets only: there is no port to
// pick, and nothing to collide with.
func startEtcd(ctx context.Context, dir string) (string, error) {
	client := url.URL{Scheme: "unix", Path: filepath.Join(dir, "client.sock")}
	peer := url.URL{Scheme: "unix", Path: filepath.Join(dir, "peer.sock")}
	// A member must advertise a host and a port. One that is alone never dials
	// them, so this is only a name.
	advertised := url.URL{Scheme: "http", Host: "127.0.0.1:2380"}

	cfg := embed.NewConfig()
	cfg.Dir = filepath.Join(dir, "etcd")
	cfg.ListenClientUrls = []url.URL{client}
	cfg.ListenPeerUrls = []url.URL{peer}
	cfg.AdvertiseClientUrls = []url.URL{advertised}
	cfg.AdvertisePeerUrls = []url.URL{advertised}
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	cfg.UnsafeNoFsync = true // a test cluster that loses power is made anew
	cfg.LogLevel = "error"
	cfg.LogOutputs = []string{filepath.Join(dir, "etcd.log")}

	server, err := embed.StartEtcd(cfg)
	if err != nil {
		return "", err
	}
	select {
	case <-server.Server.ReadyNotify():
		progress("etcd ready")
		return client.String(), nil
	case err := <-server.Err():
		return "", err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}
