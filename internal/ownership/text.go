package ownership

import (
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// What is written down in a cluster may have been written by anybody. Its texts go
// into states, errors and terminals: they are as clean as what a cluster says.

// RecordIn is the record in a ConfigMap's data.
func RecordIn(data map[string]string) (*release.Record, error) {
	record, err := release.ParseRecord(data)
	if record != nil {
		redactAll(&record.Reason, &record.Holder, &record.CancelRequested, &record.CreatedBy)
		record.Version = mask.Clean(record.Version)
	}
	return record, err
}

// MainIn is the pointer in a ConfigMap's data; nil where there is only a history.
func MainIn(data map[string]string) (*release.Main, error) {
	main, err := release.MainOf(data)
	if main != nil && main.Breach != nil {
		redactAll(&main.Breach.Reason)
	}
	if main != nil && main.Progress != nil {
		redactAll(&main.Progress.Holder)
	}
	return main, err
}

// BreachIn is what a ConfigMap's data tell of a release that was taken back, where nothing is
// main any more; nil where they do not.
func BreachIn(data map[string]string) *release.Breach {
	breach := release.BreachIn(data)
	if breach != nil {
		redactAll(&breach.Reason, &breach.By, &breach.Theirs)
	}
	return breach
}

// UnreadableError is a ConfigMap of ours that holds something else than what we wrote.
type UnreadableError struct{ Err error }

func (e *UnreadableError) Error() string { return e.Err.Error() }

// Unwrap is what is wrong with it.
func (e *UnreadableError) Unwrap() error { return e.Err }

// Unreadable says which ConfigMap could not be read, and what heals it.
func Unreadable(c Cluster, cm *corev1.ConfigMap, err error) error {
	err = fmt.Errorf("the ConfigMap %s/%s on cluster %q: %w", cm.Namespace, cm.Name, c.Name(), err)
	var newer *release.NewerSchemaError
	if errors.As(err, &newer) {
		return err // that says it
	}
	anew := "what the cluster has is written down anew"
	if cm.Labels[release.LabelRole] == release.RolePointer {
		anew = "what is retained is then taken for what was main before, and the history begins anew"
	}
	return &UnreadableError{Err: fmt.Errorf("%w. Write into it what it was, or delete it, and apply again: %s.\n  kubectl --namespace %s delete configmap %s", err, anew, cm.Namespace, cm.Name)}
}

// HistoryIn is the history in a ConfigMap's data.
func HistoryIn(data map[string]string) (release.History, error) {
	history, err := release.ParseHistory(data)
	for i := range history.Entries {
		entry := &history.Entries[i]
		redactAll(&entry.By, &entry.Reason)
		entry.Run = Redacted(entry.Run)
		entry.Version = mask.Clean(entry.Version)
	}
	return history, err
}

// Redacted is a run whose texts are clean.
func Redacted(run release.Run) release.Run {
	redactAll(&run.Tool, &run.ID, &run.URL, &run.Commit, &run.Ref, &run.Project, &run.Workspace, &run.Actor)
	return run
}

func redactAll(texts ...*string) {
	for _, text := range texts {
		*text = mask.Within(mask.Redact(*text))
	}
}
