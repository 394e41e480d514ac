package release

import (
	"encoding/json"
	"fmt"
	"maps"
	"time"
)

// RequestKey is the key, in an application's ConfigMap, of what somebody asks of whoever
// promotes: it holds the Lease, so that nobody else may act.
const RequestKey = "request.json"

// RequestKind is what is asked for.
type RequestKind string

// RequestReturn asks for a promotion to be taken back. Whoever does not know a kind
// leaves it alone.
const RequestReturn RequestKind = "return"

// Request asks whoever promotes for something.
type Request struct {
	Kind RequestKind `json:"kind"`
	From string      `json:"from"` // the promotion's
	To   string      `json:"to"`
	By   string      `json:"by,omitempty"` // who asks; empty: not known
	At   time.Time   `json:"at"`           // by the API server's clock
}

// Asks says that something is asked of a promotion: one to the same release, from the
// same.
func (r *Request) Asks(kind RequestKind, p *Progress) bool {
	return r != nil && r.Kind == kind && r.From == p.From && r.To == p.To
}

// RequestIn is what an application's ConfigMap asks for; nil where that is nothing, or
// cannot be read: then nobody is asked.
func RequestIn(data map[string]string) *Request {
	r := new(Request)
	if json.Unmarshal([]byte(data[RequestKey]), r) != nil {
		return nil
	}
	return r
}

// Asking is the data of an application's ConfigMap with a request in it.
func Asking(data map[string]string, r Request) (map[string]string, error) {
	asked, err := marshal(RequestKey, &r)
	if err != nil {
		return nil, err
	}
	next := maps.Clone(data)
	maps.Copy(next, asked)
	return next, nil
}

// AskedBackError says that a promotion is taken back because somebody has asked for it.
type AskedBackError struct {
	Cluster string
	ID      ID // the release
	Request Request
}

func (e *AskedBackError) Error() string {
	by := "somebody"
	if e.Request.By != "" {
		by = e.Request.By
	}
	return fmt.Sprintf("%s asked on cluster %q to go back from %s to %s", by, e.Cluster, e.ID, OrNothing(e.Request.From))
}
