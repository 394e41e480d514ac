package ownership

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// create makes the record's ConfigMap: the atomic claim.
func (cl *Claim) create(ctx context.Context) error {
	cl.live = &corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{Namespace: cl.id.Namespace, Name: cl.id.Name},
	}
	if err := cl.fill(cl.live); err != nil {
		return err
	}
	sent := time.Now()
	if err := cl.beneath().Create(ctx, cl.live); err != nil {
		return err
	}
	cl.own.seen = sent
	return nil
}

// fill writes the record, and the labels that show it to kubectl, into its
// ConfigMap.
func (cl *Claim) fill(cm *corev1.ConfigMap) error {
	data, err := cl.record.Marshal()
	if err != nil {
		return err
	}
	cm.Data = data
	if cm.Labels == nil {
		cm.Labels = applicationLabels(cl.application, release.RoleRecord)
		cm.Labels[release.LabelInstance] = cm.Name
		cm.Labels[release.LabelDeployment] = cm.Name
	}
	if cm.Annotations == nil {
		cm.Annotations = map[string]string{}
	}
	cm.Labels[release.LabelVersion] = release.LabelValue(cl.record.Version)
	cm.Annotations[release.AnnotationVersion] = cl.record.Version
	cm.Annotations[release.AnnotationContentHash] = cl.record.Hash
	if cl.environment != "" {
		cm.Labels[release.LabelEnvironment] = release.LabelValue(cl.environment)
	}
	cm.Labels[release.LabelCustody] = string(cl.record.Custody)
	cm.Labels[release.LabelStatus] = string(cl.record.Status)
	return nil
}

// Write replaces the record if it is still as we last saw it.
func (cl *Claim) Write(ctx context.Context) error {
	for {
		next := cl.live.DeepCopy()
		if err := cl.fill(next); err != nil {
			return err
		}
		sent := time.Now()
		cl.own.tried = append(cl.own.tried, next.Data) // it may be written although its reply is lost
		err := cl.beneath().Update(ctx, next)
		if err == nil {
			cl.live, cl.own.seen, cl.own.tried = next, sent, nil
			return nil
		}
		if cl.live, err = unchanged(ctx, cl.cluster, cl.live, err); err != nil {
			return err
		}
	}
}

// unchanged reads a ConfigMap again whose update met a conflict. Where its data
// is what we saw, somebody only labelled it, say, and the update may be tried
// again on what is returned; in every other case seen and the error are.
func unchanged(ctx context.Context, c Cluster, seen *corev1.ConfigMap, conflict error) (*corev1.ConfigMap, error) {
	if !release.ReadAgain(conflict) {
		return seen, conflict
	}
	live := &corev1.ConfigMap{}
	if err := c.Get(ctx, seen.Namespace, seen.Name, live); err != nil {
		return seen, errors.Join(conflict, err)
	}
	if live.UID != seen.UID || !maps.Equal(live.Data, seen.Data) {
		return seen, conflict
	}
	return live, nil
}

// Update changes the record while the claim is held. Another writer's conflict
// is read again; who finds another owner's token, or another run at work, has
// lost the claim, and everything that is done for it ends.
func (cl *Claim) Update(ctx context.Context, change func(*release.Record)) error {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if cl.own.lost != nil {
		return cl.own.lost
	}
	before := cl.record
	kept := false
	defer func() {
		if !kept {
			cl.record = before // what could not be written is not so
		}
	}()
	for {
		change(&cl.record)
		err := cl.Write(ctx)
		if apierrors.IsNotFound(err) {
			return cl.lose(cl.takenBy(nil))
		}
		if !release.ReadAgain(err) {
			kept = err == nil
			return err
		}
		live, record, err := LiveRecord(ctx, cl.cluster, cl.id, cl.application)
		if apierrors.IsNotFound(err) {
			return cl.lose(cl.takenBy(nil))
		}
		if err != nil {
			return err
		}
		ours := slices.ContainsFunc(cl.own.tried, func(data map[string]string) bool { return maps.Equal(data, live.Data) })
		if !ours && cl.foreign(record) {
			return cl.lose(cl.takenBy(record))
		}
		cl.live = live
		cl.record.CancelRequested = record.CancelRequested
		cl.heed()
	}
}

// foreign says that a record is another claim's, or another run's.
func (cl *Claim) foreign(record *release.Record) bool {
	return record.Owner != cl.owner || record.Run != cl.keeper.run
}

// takenBy says who has the release now, by its record; nil: there is none any more.
func (cl *Claim) takenBy(record *release.Record) *release.TakenOverError {
	lost := &release.TakenOverError{Cluster: cl.cluster.Name(), ID: cl.id, Gone: record == nil}
	if record != nil {
		lost.Holder, lost.Claimed = record.Holder, record.Owner != cl.owner
	}
	return lost
}
