package testcluster

import (
	"bytes"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
)

// Request is a request that came through a [Proxy].
type Request struct {
	Index      int // among all requests since the last Reset; the first is 1
	WriteIndex int // among the writes; 0 for all others
	Method     string
	Path       string
	Query      url.Values
	UserAgent  string
	Body       []byte // as sent, of everything but reads
	Time       time.Time
	Status     int       // of the reply; 0 while, or if, there is none
	Ended      time.Time // zero while it goes on
}

// InARow is how many requests followed each other, at most: each began when another had
// ended. Whoever sent them has waited so often, if all of them take longer than what
// else there is to do (see [Delay]).
func InARow(requests []Request) (row []Request) {
	for _, next := range slices.SortedStableFunc(slices.Values(requests), func(a, b Request) int { return a.Ended.Compare(b.Ended) }) {
		if !next.Ended.IsZero() && (len(row) == 0 || !next.Time.Before(row[len(row)-1].Ended)) {
			row = append(row, next)
		}
	}
	return row
}

// Write tells whether the request changes something in the cluster: not a
// read, not a dry run, not a question put as a POST.
func (r *Request) Write() bool { return r.WriteIndex > 0 }

// DryRun tells whether the request asks what a write would do, without doing it.
func (r *Request) DryRun() bool { return r.Query.Get("dryRun") != "" }

// Watch tells whether the request is a watch.
func (r *Request) Watch() bool {
	watch := r.Query.Get("watch")
	return watch == "true" || watch == "1"
}

// Renewal tells whether the request does no more than show that the holder of a
// Lease lives.
func (r *Request) Renewal() bool {
	if r.Method != http.MethodPut || !strings.HasPrefix(r.Path, "/apis/coordination.k8s.io/") {
		return false
	}
	var lease coordinationv1.Lease
	if _, _, err := scheme.Codecs.UniversalDeserializer().Decode(r.Body, nil, &lease); err != nil {
		return false
	}
	spec := lease.Spec
	return spec.HolderIdentity != nil && *spec.HolderIdentity != "" && spec.AcquireTime != nil && spec.RenewTime != nil && spec.AcquireTime.Before(spec.RenewTime)
}

// Target is what the request is about, in a word: its path, with the name of what a
// POST makes.
func (r *Request) Target() string {
	if r.Method != http.MethodPost {
		return r.Path
	}
	made, _, err := scheme.Codecs.UniversalDeserializer().Decode(r.Body, nil, nil)
	if err != nil {
		return r.Path // of a kind that we have no type of
	}
	object, err := meta.Accessor(made)
	if err != nil || object.GetName() == "" {
		return r.Path
	}
	return r.Path + "/" + object.GetName()
}

// Repeats tells whether a request, of all those, asks again for what the last one of
// its kind has not got: a conflict came first, or the very same met a busy server, a
// broken one or none. How often that happens follows from the machine. What only shows
// that a client lives is none of them: beats, which may be nil, says so.
func Repeats(r *Request, all []Request, beats func(*Request) bool) bool {
	for i := range slices.Backward(all) {
		before := &all[i]
		switch {
		case before.Index >= r.Index, before.Method != r.Method, before.Target() != r.Target():
		case before.Status/100 != 2 && bytes.Equal(before.Body, r.Body):
			return true
		case beats == nil || !beats(before):
			return before.Status == http.StatusConflict
		}
	}
	return false
}

// String is the request in a line, as for a failed test's log.
func (r *Request) String() string {
	line := r.Method + " " + r.Path
	if len(r.Query) > 0 {
		line += "?" + r.Query.Encode()
	}
	return line
}

// isWrite tells whether an incoming request changes something.
func isWrite(r *http.Request, body []byte) bool {
	switch r.Method {
	case http.MethodPost, http.MethodPut, http.MethodPatch:
	case http.MethodDelete:
		// Most clients say in the body that a deletion is a dry run.
		var options metav1.DeleteOptions
		if _, _, err := scheme.Codecs.UniversalDeserializer().Decode(body, nil, &options); err == nil && len(options.DryRun) > 0 {
			return false
		}
	default:
		return false
	}
	if r.URL.Query().Has("dryRun") {
		return false
	}
	// SubjectAccessReviews and the like are questions.
	return !strings.HasPrefix(r.URL.Path, "/apis/authorization.k8s.io/") && !strings.HasPrefix(r.URL.Path, "/apis/authentication.k8s.io/")
}
