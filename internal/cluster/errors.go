package cluster

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// ConfigError says that a connection is configured in a way that cannot work.
// It is found without any network traffic.
type ConfigError struct {
	Cluster   string
	Attribute string // "config_context", "exec.command", …; empty: the cluster as a whole
	Variable  string // the environment variable that the attribute's value came from; empty: none
	Summary   string
	Detail    string
}

func (e *ConfigError) Error() string {
	return fmt.Sprintf("cluster %q: %s: %s", e.Cluster, e.Summary, e.Detail)
}

// UnreachableError says that the network did not lead to the API server: no
// address, no connection, no answer. What is in that cluster is unknown, which
// is not the same as nothing.
type UnreachableError struct {
	Cluster, Host, Source string
	Err                   error
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("cluster %q cannot be reached at %s (%s): %s", e.Cluster, e.Host, e.Source, cause(e.Err))
}

func (e *UnreachableError) Unwrap() error { return e.Err }

// Unreachable tells this error from others without importing this package.
func (e *UnreachableError) Unreachable() bool { return true }

// Answered says that a proxy on the way has answered, that it did not reach the API
// server. That is the proxy's word, not the network's: the proxy may be what is
// wrong, and the cluster may be well.
func (e *UnreachableError) Answered() bool {
	var refused *proxyError
	return errors.As(e.Err, &refused)
}

// UnusableError says that a connection does not work, and that it is not for
// want of a network: what is to be sent cannot be, a proxy refuses, or what
// answers is no API server. The cluster may be well.
type UnusableError struct {
	Cluster, Host, Source string
	Err                   error
}

func (e *UnusableError) Error() string {
	return fmt.Sprintf("cluster %q: the connection to %s (%s) does not work: %s", e.Cluster, e.Host, e.Source, cause(e.Err))
}

func (e *UnusableError) Unwrap() error { return e.Err }

// TLSError says that client and server do not trust each other's certificates,
// or do not speak TLS. Trying again would not help.
type TLSError struct {
	Cluster, Host, Source string
	Err                   error
}

func (e *TLSError) Error() string {
	return fmt.Sprintf("cluster %q: no trusted TLS connection to %s (%s): %s", e.Cluster, e.Host, e.Source, cause(e.Err))
}

func (e *TLSError) Unwrap() error { return e.Err }

// CredentialError says that a credential could not be had (a failing exec
// plugin) or was refused after it had been refreshed.
type CredentialError struct {
	Cluster, Host, Source string
	Err                   error
}

func (e *CredentialError) Error() string {
	return fmt.Sprintf("cluster %q: no usable credential for %s (%s): %s", e.Cluster, e.Host, e.Source, cause(e.Err))
}

func (e *CredentialError) Unwrap() error { return e.Err }

// NoCredentialError says that the API server has refused somebody of whom it knows
// nothing, because the connection has no credential at all. Its answer is wrapped.
type NoCredentialError struct {
	Source string
	Err    error
}

func (e *NoCredentialError) Error() string {
	return fmt.Sprintf("there is no credential in this connection (%s): %s", e.Source, cause(e.Err))
}

func (e *NoCredentialError) Unwrap() error { return e.Err }

// RequestError says which request on which cluster failed. The API server's
// answer is wrapped: apierrors.IsNotFound and its like work.
type RequestError struct {
	Cluster, Verb, Kind, Namespace, Name string
	Err                                  error

	hide []string // what the answer must not repeat; see quiet
}

func (e *RequestError) Error() string {
	object := e.Kind
	switch {
	case e.Namespace != "" && e.Name != "":
		object += " " + e.Namespace + "/" + e.Name
	case e.Name != "":
		object += " " + e.Name
	case e.Namespace != "":
		object += " in namespace " + e.Namespace
	}
	return fmt.Sprintf("cluster %q: cannot %s %s: %s", e.Cluster, e.Verb, object, mask.Values(cause(e.Err), e.hide...))
}

func (e *RequestError) Unwrap() error { return e.Err }

// InterruptedError says that the operation's context ended before a request
// succeeded: why it ended, and what the last attempt met.
type InterruptedError struct {
	Cause error // context.Cause
	Ctx   error // context.Canceled or context.DeadlineExceeded
	Last  error // nil: the first attempt was still under way
}

func (e *InterruptedError) Error() string {
	if e.Last == nil {
		return e.Cause.Error()
	}
	return fmt.Sprintf("%s; the last attempt failed with: %s", e.Cause, cause(e.Last))
}

func (e *InterruptedError) Unwrap() []error {
	errs := []error{e.Cause, e.Ctx}
	if e.Last != nil {
		errs = append(errs, e.Last)
	}
	return errs
}

// ApplyConflictError says who owns the fields that an apply without force
// would have changed.
type ApplyConflictError struct {
	Cluster, Object string // "Deployment shop/api"
	Conflicts       []release.FieldConflict
	Err             error
}

func (e *ApplyConflictError) Error() string {
	var parts []string
	for _, c := range e.Conflicts {
		parts = append(parts, fmt.Sprintf("%s is owned by %q", c.Field, c.Manager))
	}
	return fmt.Sprintf("cluster %q: %s: other field managers are in the way: %s", e.Cluster, e.Object, strings.Join(parts, "; "))
}

func (e *ApplyConflictError) Unwrap() error { return e.Err }

// ReplacedError says that the object of this name is another one by now: the
// one meant, which had uid Want, is gone. apierrors.IsConflict holds for it.
type ReplacedError struct {
	Cluster, Object string
	Want, Live      types.UID
	Err             error
}

func (e *ReplacedError) Error() string {
	return fmt.Sprintf("cluster %q: %s is another object by now (uid %s, not %s)", e.Cluster, e.Object, e.Live, e.Want)
}

func (e *ReplacedError) Unwrap() error { return e.Err }

// Replaced tells this error from others without importing this package.
func (e *ReplacedError) Replaced() bool { return true }

// TooOldError says that the cluster's Kubernetes is older than MinimumVersion.
type TooOldError struct {
	Cluster, Host, Version string
}

func (e *TooOldError) Error() string {
	return fmt.Sprintf("cluster %q at %s runs Kubernetes %s; Switchback needs %s or newer", e.Cluster, e.Host, e.Version, MinimumVersion)
}

// WrongClusterError says that the connection leads to another cluster than
// expected_uid allows.
type WrongClusterError struct {
	Cluster, Host, Source string
	Expected, Actual      string
}

func (e *WrongClusterError) Error() string {
	return fmt.Sprintf("cluster %q leads to another cluster than expected: its expected_uid is %s, but the kube-system namespace at %s (%s) has uid %s; nothing was written",
		e.Cluster, e.Expected, e.Host, e.Source, e.Actual)
}

// NamespaceError says that a namespace cannot take objects.
type NamespaceError struct {
	Cluster, Namespace string
	Terminating        bool   // else it does not exist
	Blocking           string // what a terminating namespace waits for, where its status says so
}

func (e *NamespaceError) Error() string {
	if !e.Terminating {
		return fmt.Sprintf("cluster %q has no namespace %q", e.Cluster, e.Namespace)
	}
	s := fmt.Sprintf("namespace %q on cluster %q is being deleted and takes no new objects", e.Namespace, e.Cluster)
	if e.Blocking != "" {
		s += ": " + e.Blocking
	}
	return s
}

// cause is err's text without the method and address that net/http puts in
// front of it: the errors above say where in a reader's words. It is not ours, and
// looks it.
func cause(err error) string {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return mask.Within(err.Error())
}

// quiet lets what is said of a write not repeat the values of the environment that
// it wrote: policies quote what they refuse, and some values are secrets.
func quiet(obj Object, err error) {
	var failed *RequestError
	if errors.As(err, &failed) {
		failed.hide = variablesOf(obj)
	}
}

// variablesOf are the values of the environment that an object has.
func variablesOf(obj Object) []string {
	switch obj := obj.(type) {
	case *appsv1.Deployment:
		return release.VariablesOf(&obj.Spec.Template.Spec)
	case *corev1.Pod:
		return release.VariablesOf(&obj.Spec)
	}
	return nil
}

// Hide takes out of a part of the answer what it must not repeat.
func (e *RequestError) Hide(text string) string { return mask.Redact(mask.Values(text, e.hide...)) }

// answer is the API server's status code and reason in err; 0 where the error
// is not an answer.
func answer(err error) (int32, apierrors.APIStatus) {
	var s apierrors.APIStatus
	if errors.As(err, &s) {
		return s.Status().Code, s
	}
	return 0, nil
}
