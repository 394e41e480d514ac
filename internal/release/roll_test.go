package release_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

func TestPodsOfAStop(t *testing.T) {
	for _, test := range []struct {
		percent  int
		of, want int32
	}{{1, 1, 1}, {25, 4, 1}, {25, 5, 2}, {50, 3, 2}, {99, 3, 3}, {99, 100, 99}, {50, 0, 0}} {
		if got := (release.RollStop{Percent: test.percent}).Pods(test.of); got != test.want {
			t.Errorf("%d %% of %d are %d, want %d", test.percent, test.of, got, test.want)
		}
	}
}

// TestRollGoesOn: its pause counts on over the end of a run, and begins anew after a kill.
func TestRollGoesOn(t *testing.T) {
	began := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	timed, gated := release.RollStop{Percent: 25, Pause: time.Minute}, release.RollStop{Percent: 50, Pause: time.Minute, Gate: release.GateManual}
	r := (*release.Roll)(nil).To("v2", false)
	if got := r.Ahead([]release.RollStop{timed, gated}); r.Waits(began) || len(got) != 2 {
		t.Errorf("at its beginning it waits, or has %v ahead", got)
	}
	at := r.In(timed, began)
	if !at.Waits(began) || at.Waits(began.Add(time.Minute)) || at.Left(began.Add(time.Second)) != 59*time.Second || at.Left(began.Add(time.Hour)) != 0 {
		t.Errorf("%+v waits for another time", at)
	}
	if next := at.To("v2", true).In(timed, began.Add(time.Second)); next.Since != began {
		t.Errorf("another run begins the pause at %s", next.Since)
	}
	if next := at.To("v2", false).In(timed, began.Add(time.Second)); next.Since.Equal(began) {
		t.Error("after a kill the pause goes on")
	}
	if next := at.To("v3", true); next.Stop != nil || next.Hash != "v3" {
		t.Errorf("another content goes on from %+v", next)
	}
	past := at.Past(timed)
	if got := past.Ahead([]release.RollStop{timed, gated}); past.Waits(began) || len(got) != 1 || got[0] != gated {
		t.Errorf("after its stop it waits, or has %v ahead", got)
	}
	gate := past.In(gated, began)
	if !gate.Waits(began.Add(time.Hour)) {
		t.Error("it waits for nobody")
	}
	gate.Resumed = true
	if gate.Waits(began) || gate.Left(began) != 0 {
		t.Error("it waits, although somebody has let it go on")
	}
	if next := gate.In(release.RollStop{Percent: 75, Gate: release.GateManual}, began); next.Resumed {
		t.Error("what lets it go on from one stop lets it go on from another one")
	}
}

// TestRollIsResumed by what its reason prints, in the very stop and no other.
func TestRollIsResumed(t *testing.T) {
	began := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	stop := release.RollStop{Percent: 50, Gate: release.GateManual}
	record := release.Record{Status: release.StatusPaused, Roll: (&release.Roll{Hash: "v2"}).In(stop, began)}
	text := release.RollText("prod", release.ID{Namespace: "shop", Name: "api-1"}, "api", record.Roll)
	_, patch, _ := strings.Cut(text, "--patch '")
	patch, _, _ = strings.Cut(patch, "'")
	var asked struct{ Data map[string]string }
	if err := json.Unmarshal([]byte(patch), &asked); err != nil || !strings.Contains(text, `kubectl patch configmap api-1 --namespace shop`) || !strings.Contains(text, `on cluster "prod"`) {
		t.Fatalf("it says %s: %v", text, err)
	}
	read := func(r release.Record) *release.Record {
		data, err := r.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		data[release.RequestKey] = asked.Data[release.RequestKey]
		got, err := release.ParseRecord(data)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := read(record); !got.Roll.Resumed || !got.Paused() {
		t.Errorf("it is not resumed: %+v", got.Roll)
	}
	if got := release.ResumeRoll(&record, began.Add(time.Hour)); got != release.ResumptionDue {
		t.Errorf("at a gate, its resumption is %s", got)
	}
	if got := release.ResumeRoll(read(record), began); got != release.ResumptionAsked || !strings.Contains(text, "or the action switchback_resume") {
		t.Errorf("once it is resumed, its resumption is %s; it says %s", got, text)
	}
	later, other := record, record
	later.Roll = (&release.Roll{Hash: "v2"}).In(stop, began.Add(1))
	other.Roll = (&release.Roll{Hash: "v3"}).In(stop, began)
	for _, r := range []release.Record{later, other} {
		if got := read(r); got.Roll.Resumed {
			t.Errorf("another pause is resumed: %+v", got.Roll)
		}
	}
	acted := record
	if acted.Roll = record.Roll.LetGoOn(); record.Roll.Resumed || release.ResumeRoll(&acted, began) != release.ResumptionAsked {
		t.Errorf("let go on, it is %+v, and was %+v", acted.Roll, record.Roll)
	}
	busy := record
	busy.Status = release.StatusRestarting
	if release.ResumeRoll(&busy, began) != release.ResumptionNone || release.ResumeRoll(nil, began) != release.ResumptionNone {
		t.Error("what is no pause is resumed")
	}
	if record.Roll = nil; read(record).Paused() || release.ResumeRoll(&record, began) != release.ResumptionNone {
		t.Error("without a stop it is paused")
	}
	timed := (&release.Roll{Hash: "v2"}).In(release.RollStop{Percent: 25, Pause: time.Minute}, began)
	if text := release.RollText("prod", release.ID{Namespace: "shop", Name: "api-1"}, "api", timed); !strings.Contains(text, "ends at 2026-01-02T03:05:05Z") {
		t.Errorf("it says %s", text)
	}
}

// TestRecordOfARollIsNewer: a provider that does not know it refuses it, and reads what is left after it.
func TestRecordOfARollIsNewer(t *testing.T) {
	record := release.Record{Hash: "v1", Status: release.StatusRestarting, Roll: &release.Roll{Hash: "v2"}}
	data, err := record.Marshal()
	if err != nil || !strings.Contains(data[release.RecordKey], `"schema":2`) {
		t.Errorf("it is written as %s: %v", data, err)
	}
	got, err := release.ParseRecord(data)
	if err != nil {
		t.Fatal(err)
	}
	got.Roll = nil
	if data, err = got.Marshal(); err != nil || !strings.Contains(data[release.RecordKey], `"schema":1`) {
		t.Errorf("after it, it is written as %s: %v", data, err)
	}
	var newer *release.NewerSchemaError
	if _, err := release.ParseRecord(map[string]string{release.RecordKey: `{"schema":3}`}); !errors.As(err, &newer) {
		t.Errorf("of a later one it says %v", err)
	}
}

func TestRollingPauses(t *testing.T) {
	r := release.Rolling{PauseAt: []release.RollStop{{Percent: 1, Pause: time.Minute}, {Percent: 2, Gate: release.GateManual}, {Percent: 3, Pause: time.Second}}}
	if got := r.Pauses(); got != 61*time.Second || r.IsZero() || !(release.Rolling{}).IsZero() {
		t.Errorf("its pauses take %s", got)
	}
}
