package observe

import (
	"context"

	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// History is what was done to an application on one cluster, or why that
// could not be read.
type History struct {
	Cluster string
	Entries []release.Entry // the oldest first
	Err     error
}

// Histories reads an application's history on every cluster from the shared
// watch caches.
func Histories(ctx context.Context, clusters []ownership.Cluster, namespace, application string) []History {
	all, _ := fleet.All(fleet.ByName(clusters), func(c ownership.Cluster) (History, error) {
		entries, err := historyOn(ctx, c, namespace, application)
		return History{Cluster: c.Name(), Entries: entries, Err: err}, nil
	})
	return all
}

func historyOn(ctx context.Context, c ownership.Cluster, namespace, application string) ([]release.Entry, error) {
	cm, err := ownership.Cached(ctx, c.View(namespace), &corev1.ConfigMap{}, release.MainName(application))
	if err != nil || cm == nil {
		return nil, err
	}
	history, err := ownership.HistoryIn(cm.Data)
	if err != nil {
		return nil, ownership.Unreadable(c, cm, err)
	}
	return history.Entries, nil
}

// Past is what an application's history tells on one cluster, or why that could
// not be read.
type Past struct {
	Cluster string
	Past    release.Past
	Err     error
}

// Pasts reads how far an application's history goes on every cluster, from the
// shared watch caches.
func Pasts(ctx context.Context, clusters []ownership.Cluster, namespace, application string) []Past {
	all, _ := fleet.All(fleet.ByName(clusters), func(c ownership.Cluster) (Past, error) {
		cm, err := ownership.Cached(ctx, c.View(namespace), &corev1.ConfigMap{}, release.MainName(application))
		return Past{Cluster: c.Name(), Past: pastIn(cm), Err: err}, nil
	})
	return all
}

// pastIn is what the history tells that an application's ConfigMap holds. What
// cannot be read of it concludes nothing.
func pastIn(cm *corev1.ConfigMap) release.Past {
	if cm == nil {
		return nil
	}
	history, err := release.ParseHistory(cm.Data)
	if err != nil {
		return nil
	}
	return history.Past()
}
