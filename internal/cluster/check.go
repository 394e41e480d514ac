package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/version"
)

// MinimumVersion is the oldest Kubernetes we work with.
const MinimumVersion = "1.30"

const minimumMinor = 30

// Check makes the first contact, once a run and for all callers together: the
// API server answers, is new enough, and is the one that expected_uid names.
// Every request goes through it. That a cluster is unreachable, untrusted, too
// old or the wrong one is remembered; other failures are not.
func (c *Cluster) Check(ctx context.Context) error {
	checked := func() (bool, error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.checked, c.checkErr
	}
	return c.share(ctx, "check", checked, func(ctx context.Context) error {
		found, err := c.check(ctx)
		var (
			old   *TooOldError
			wrong *WrongClusterError
		)
		if err == nil || saysItAll(err) || errors.As(err, &old) || errors.As(err, &wrong) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.checked, c.checkErr, c.version = true, err, found
		}
		return err
	})
}

// Admits says that the API server lets nobody in particular read what every apply in a
// namespace reads first: a *NoCredentialError. It asks only where the connection has no
// credential. That the server tells its version to anybody says nothing of that.
func (c *Cluster) Admits(ctx context.Context, namespace string) error {
	if !c.nobody {
		return nil
	}
	var none *NoCredentialError
	if err := c.Get(ctx, namespace, "switchback", &corev1.ConfigMap{}); errors.As(err, &none) {
		return err
	}
	return nil
}

// share runs fn once for all who ask before its outcome is known. fn's context
// ends when none of them waits any more.
func (c *Cluster) share(ctx context.Context, key string, known func() (bool, error), fn func(context.Context) error) error {
	if ok, err := known(); ok {
		return err
	}
	done, err := c.flights.join(ctx, c.ctx, key, func(ctx context.Context) error {
		if ok, err := known(); ok { // since we asked, from a flight that has just ended
			return err
		}
		return fn(ctx)
	})
	if !done {
		return &InterruptedError{context.Cause(ctx), ctx.Err(), c.credential.unfinished()}
	}
	return err
}

func (c *Cluster) check(ctx context.Context) (string, error) {
	found, err := c.serverVersion(ctx)
	if err != nil {
		return "", err
	}
	if found != nil && older(found) {
		return "", &TooOldError{c.name, c.host, found.GitVersion}
	}
	git := ""
	if found != nil {
		git = found.GitVersion
	}
	if c.expectedUID == "" {
		return git, nil
	}
	system := &corev1.Namespace{}
	res, err := resourceOf(system)
	if err != nil {
		return "", err
	}
	k := call{"get", res, "", metav1.NamespaceSystem, readTimeout}
	_, err = c.bare(ctx, k, func(ctx context.Context) error {
		return c.request("GET", res, "", metav1.NamespaceSystem).Do(ctx).Into(system)
	})
	switch {
	case apierrors.IsForbidden(err):
		return "", &MissingPermissionsError{Cluster: c.name, Namespace: metav1.NamespaceSystem, Gaps: []Gap{
			{Feature: FeatureRefresh, Verb: "get", Resource: "namespaces", Namespace: metav1.NamespaceSystem},
		}, Note: "expected_uid is compared with this namespace's uid; without it nothing is read or written."}
	case err != nil:
		return "", fmt.Errorf("expected_uid cannot be checked: %w", err)
	case string(system.UID) != c.expectedUID:
		return "", &WrongClusterError{c.name, c.host, c.source, c.expectedUID, string(system.UID)}
	}
	return git, nil
}

// serverVersion is nil where the server does not tell us.
func (c *Cluster) serverVersion(ctx context.Context) (*version.Info, error) {
	var info version.Info
	k := call{"get", resource{kind: "the server's version"}, "", "", connectPatience * 2}
	_, err := c.bare(ctx, k, func(ctx context.Context) error {
		raw, err := c.root.Get().MaxRetries(0).AbsPath("/version").SetHeader("Accept", "application/json").Do(ctx).Raw()
		if err != nil {
			return statusOf(raw, err)
		}
		if err := json.Unmarshal(raw, &info); err != nil {
			return fmt.Errorf("the answer is not that of a Kubernetes API server: %w", err)
		}
		return nil
	})
	if apierrors.IsForbidden(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &info, nil
}

// older compares "1" and "36+"; what is no number is let pass.
func older(v *version.Info) bool {
	major, err1 := strconv.Atoi(v.Major)
	minor, err2 := strconv.Atoi(strings.TrimRight(v.Minor, "+"))
	return err1 == nil && err2 == nil && (major < 1 || major == 1 && minor < minimumMinor)
}

// Version is the server's, e.g. "v1.36.3"; empty before the first contact and
// where the server does not tell.
func (c *Cluster) Version() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.version
}
