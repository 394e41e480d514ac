package release_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

const hash = "7f3c9a1e00000000000000000000000000000000000000000000000000000000"

func record(custody release.Custody, status release.Status, run string) *release.Record {
	return &release.Record{Hash: hash, Owner: "theirs", Custody: custody, Status: status, Run: run}
}

func TestClaim(t *testing.T) {
	owned := record(release.CustodyOwned, release.StatusStarted, "")
	for _, tc := range []struct {
		name  string
		found release.Found
		want  release.ClaimStep
	}{
		{"nothing there", release.Found{}, release.ClaimCreate},
		{"other content, same name", release.Found{Record: &release.Record{Hash: "7f3c9a1e1"}}, release.ClaimRefuseCollision},
		{"other content, which changes in place", release.Found{Record: &release.Record{Hash: "7f3c9a1e1", Status: release.StatusStarted, Custody: release.CustodyOwned}, InPlace: true, Healthy: true}, release.ClaimAdoptAndTell},
		{"other content in place, retained", release.Found{Record: &release.Record{Hash: "7f3c9a1e1", Status: release.StatusStarted, Custody: release.CustodyRetained}, InPlace: true}, release.ClaimAdopt},
		{"other content in place, serving, ill", release.Found{Record: &release.Record{Hash: "7f3c9a1e1", Status: release.StatusStarted, Custody: release.CustodyOwned}, InPlace: true, Carries: true}, release.ClaimRefuseUnhealthy},
		{"claimed in this run", release.Found{Record: owned, ClaimedHere: true}, release.ClaimRefuseTwin},
		{"somebody at work", release.Found{Record: record(release.CustodyClaimed, release.StatusStarting, "run")}, release.ClaimWait},
		{"somebody at work on removing it", release.Found{Record: record(release.CustodyTerminating, release.StatusTerminating, "run")}, release.ClaimWait},
		{"left by the dead", release.Found{Record: record(release.CustodyClaimed, release.StatusStarting, "run"), HolderDead: true}, release.ClaimAdopt},
		{"removal left by the dead", release.Found{Record: record(release.CustodyTerminating, release.StatusTerminating, "run"), HolderDead: true}, release.ClaimAdopt},
		{"retained", release.Found{Record: record(release.CustodyRetained, release.StatusStarted, "")}, release.ClaimAdopt},
		{"condemned, serving", release.Found{Record: record(release.CustodyCondemned, release.StatusStarted, ""), Carries: true, Healthy: true}, release.ClaimAdopt},
		{"abandoned", release.Found{Record: record(release.CustodyAbandoned, release.StatusStartError, "")}, release.ClaimAdopt},
		{"cancelled", release.Found{Record: record(release.CustodyOwned, release.StatusCancelled, "")}, release.ClaimAdopt},
		{"finished and owned", release.Found{Record: owned, Healthy: true}, release.ClaimAdoptAndTell},
		{"finished, owned, ill, idle", release.Found{Record: owned}, release.ClaimAdoptAndTell},
		{"finished, owned, serving, well", release.Found{Record: owned, Carries: true, Healthy: true}, release.ClaimAdoptAndTell},
		{"finished, owned, serving, ill", release.Found{Record: owned, Carries: true}, release.ClaimRefuseUnhealthy},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := release.Claim(tc.found, hash); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// Whatever is there, a live holder is never disturbed and other content never taken.
func TestClaimNeverDisturbs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := release.Found{
			Record: &release.Record{
				Hash:    rapid.SampledFrom([]string{hash, "other"}).Draw(t, "hash"),
				Custody: rapid.SampledFrom(release.Custodies()).Draw(t, "custody"),
				Status:  rapid.SampledFrom(release.Statuses()).Draw(t, "status"),
				Run:     rapid.SampledFrom([]string{"", "run"}).Draw(t, "run"),
			},
			ClaimedHere: rapid.Bool().Draw(t, "here"),
			HolderDead:  rapid.Bool().Draw(t, "dead"),
			Carries:     rapid.Bool().Draw(t, "carries"),
			Healthy:     rapid.Bool().Draw(t, "healthy"),
		}
		step := release.Claim(f, hash)
		takes := step == release.ClaimAdopt || step == release.ClaimAdoptAndTell || step == release.ClaimCreate
		if takes && (f.Record.Hash != hash || f.ClaimedHere || f.Record.Busy() && !f.HolderDead) {
			t.Fatalf("%+v of %+v: %s", f, f.Record, step)
		}
	})
}
