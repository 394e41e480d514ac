package release_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

func TestRecordRoundTrip(t *testing.T) {
	want := &release.Record{
		Schema: release.RecordSchema, Hash: hash, Version: "v1.4.0+build", Owner: "token",
		Custody: release.CustodyRetained, Status: release.StatusStarted, Reason: "said so",
		Run: "run", Holder: "process 1 on host", Beat: 3, CreatedBy: "alice", Entry: "entry", Operation: release.OperationStart,
		Phases:    []release.Phase{{Name: "claimed", At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}},
		Durations: release.Durations{Total: time.Minute, Startup: new(time.Second)}, Waited: time.Hour,
		Baseline: release.Baseline{"Deployment": {"spec.replicas": "0a1b2c3d"}},
	}
	data, err := want.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	got, err := release.ParseRecord(data)
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v\n%s", err, d)
	}
	if !got.Busy() {
		t.Error("a record with a run is busy")
	}
}

func TestMainRoundTrip(t *testing.T) {
	want := &release.Main{
		Schema: release.MainSchemaOpen, Owner: "token", Deployment: "api-7f3c9a1e", Previous: []string{"api-0b8e4d27"}, Service: "api",
		Left:      map[string]time.Time{"api-0b8e4d27": time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
		KeepCount: 2, KeepTTL: 48 * time.Hour, KeepState: release.DesiredStopped, Drain: 10 * time.Second, Baseline: map[string]string{"spec.type": "00"},
		PromotedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Progress:   open("a", "b", release.MainRunning, nil),
	}
	data, err := want.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	got, err := release.ParseMain(data)
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v\n%s", err, d)
	}
}

func TestUnreadableRecords(t *testing.T) {
	for _, tc := range []struct {
		name string
		data map[string]string
		want string
	}{
		{"no key", map[string]string{"other": "{}"}, `no key "record.json"`},
		{"no JSON", map[string]string{release.RecordKey: "{"}, "cannot be read"},
		{"from the future", map[string]string{release.RecordKey: `{"schema": 99}`}, "upgrade the provider"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := release.ParseRecord(tc.data)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q in it", err, tc.want)
			}
		})
	}
	if _, err := release.ParseMain(nil); err == nil {
		t.Error("an empty ConfigMap was read as a main")
	}
}

func TestSplitStable(t *testing.T) {
	for _, tc := range []struct {
		split release.Split
		name  string
		ok    bool
	}{
		{release.Split{}, "", false},
		{release.Split{"a": 100}, "a", true},
		{release.Split{"a": 90}, "a", false},
		{release.Split{"a": 50, "b": 50}, "", false},
	} {
		if name, ok := tc.split.Stable(); name != tc.name || ok != tc.ok {
			t.Errorf("%v: got %q, %v", tc.split, name, ok)
		}
	}
}

func TestSplitInWords(t *testing.T) {
	for want, split := range map[string]release.Split{
		"nobody": {}, "api-1": {"api-1": 100}, "api-1 90%, api-2 10%": {"api-2": 10, "api-1": 90}, "api-1 50%, api-2 50%": {"api-2": 50, "api-1": 50},
	} {
		if got := split.String(); got != want {
			t.Errorf("it is %q, want %q", got, want)
		}
	}
}
