package rollout_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// faulty lets a fault happen to the k-th request of those that count, and to
// every one that comes a multiple of apart later: far enough for the one before
// to be over. Where there are several, they take turns, and another one has the
// first turn for another k. What repeats a request that a fault hit does not
// count, so that k means the same one in every run. What goes out at once arrives in any
// order: where places are given, they count, and how often the same was asked before.
type faulty struct {
	k      int
	apart  int
	counts func(*testcluster.Request) bool
	faults []testcluster.Fault
	places func(what string) int // nil: as requests arrive

	mu      sync.Mutex
	n       int
	asked   map[string]int
	repeats map[string]int
	hit     []string
	told    int // of these, those that wrote an Event
}

func (f *faulty) on(r *testcluster.Request, _ int) testcluster.Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	what := r.Method + " " + r.Path
	if tells(r) && f.k%2 == 1 {
		f.told++
		return f.hits(what)
	}
	if !f.counts(r) || tells(r) {
		return testcluster.Fault{}
	}
	if f.repeats[what] > 0 {
		f.repeats[what]--
		return testcluster.Fault{}
	}
	f.n++
	place := f.n
	if f.places != nil {
		place = f.places(what) + f.asked[what]
		f.asked[what]++
	}
	if place < f.k || (place-f.k)%f.apart != 0 {
		return testcluster.Fault{}
	}
	f.repeats[what]++
	return f.hits(what)
}

func (f *faulty) hits(what string) testcluster.Fault {
	fault := f.faults[(f.k+len(f.hit))%len(f.faults)]
	f.hit = append(f.hit, what)
	return fault
}

// tells says that a request writes an Event. Nobody waits for it, so that it
// comes at no certain place among the others; and nobody repeats it.
func tells(r *testcluster.Request) bool {
	return r.Method == http.MethodPost && strings.HasSuffix(r.Path, "/events")
}

func anyRequest(r *testcluster.Request) bool { return !r.Watch() }

// anonymous is a request without what differs from run to run.
func anonymous(namespace, request string) string {
	return strings.ReplaceAll(request, namespace, "NAMESPACE")
}

// askedAgain are faults after which the same is asked again.
var askedAgain = []testcluster.Fault{
	testcluster.Reject(http.StatusInternalServerError, metav1.StatusReasonInternalError, "etcdserver: leader changed"),
	testcluster.Unavailable(), testcluster.ConnectionReset(),
}

// alone: what follows a fault depends on it, so that later requests cannot be counted.
const alone = -1

// passingFault is a kind of faults that pass.
type passingFault struct {
	name   string
	apart  int
	counts func(*testcluster.Request) bool
	faults []testcluster.Fault
}

// passing are those kinds. Those after which the same is asked again are one kind, and
// take turns. That a reply is lost matters to a write.
func passing() []passingFault {
	return []passingFault{
		{"asked again", 12, anyRequest, askedAgain},
		{"lost reply", alone, (*testcluster.Request).Write, []testcluster.Fault{testcluster.LostReply()}},
		{"409", 8, (*testcluster.Request).Write, []testcluster.Fault{testcluster.Conflict()}},
	}
}

// TestOneFaultAtEveryRequest lets faults that pass happen to the k-th request of
// every verb, for every k: nobody may notice.
func TestOneFaultAtEveryRequest(t *testing.T) {
	t.Parallel()
	kinds := passing()
	seen := map[string]bool{}  // by change, what is asked without a fault; true: it is a write
	places := map[string]int{} // and at which place; what is never asked then has the first one
	requests, writes, most := 0, 0, 0
	// Tests beside this one teach the cluster these: it knows them from the first life on.
	testcluster.Shared(t).Routes(t, "httproutes", "grpcroutes", "tcproutes")
	plain := newLife(t, testcluster.Shared(t))
	look := func(c change) {
		n, w := 0, 0
		for _, r := range plain.proxy.Requests() {
			if !anyRequest(&r) {
				continue
			}
			what := c.name + ": " + anonymous(plain.namespace, r.Method+" "+r.Path)
			if _, again := seen[what]; !again {
				places[what] = len(places) + 1
			}
			seen[what] = r.Write()
			n++
			if r.Write() && !tells(&r) {
				w++
			}
		}
		t.Logf("%s: %d requests, %d writes", c.name, n, w)
		requests, writes, most = requests+n, writes+w, max(most, w)
		plain.proxy.Reset()
	}
	plain.live(t.Context(), look, look)
	t.Logf("all: %d requests, %d writes, of one verb at most %d", requests, writes, most)
	for _, f := range kinds {
		if f.apart == alone {
			f.apart = most // every one of a verb
		}
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			hits, all, runs := map[string]bool{}, 0, 0
			t.Cleanup(func() { // when every k has had its run
				t.Logf("%d requests were hit in %d lives", all, runs)
				if runs < f.apart {
					return // some failed, or were not asked for
				}
				for what, write := range seen {
					if !hits[what] && (write || f.name == "asked again") {
						t.Errorf("no fault ever hit %s", what)
					}
				}
			})
			for k := 1; k <= f.apart; k++ {
				t.Run(fmt.Sprintf("at %d", k), func(t *testing.T) {
					t.Parallel()
					l := newLife(t, testcluster.Shared(t))
					var hitting *faulty
					count := func(c change) {
						if hitting == nil {
							return
						}
						mu.Lock()
						defer mu.Unlock()
						all += len(hitting.hit)
						for _, what := range hitting.hit {
							hits[c.name+": "+anonymous(l.namespace, what)] = true
						}
						hitting = nil
					}
					l.live(t.Context(), func(c change) {
						count(c)
						l.proxy.Reset()
						hitting = &faulty{k: k, apart: f.apart, counts: f.counts, faults: f.faults, repeats: map[string]int{}}
						if f.name == "asked again" {
							hitting.asked = map[string]int{}
							hitting.places = func(what string) int { return f.apart + places[c.name+": "+anonymous(l.namespace, what)] }
						}
						l.proxy.SetFault(hitting.on)
					}, count)
					mu.Lock()
					defer mu.Unlock()
					runs++
				})
			}
		})
	}
}
