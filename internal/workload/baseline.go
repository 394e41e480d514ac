package workload

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Baseline is what the API server made of our apply: every field that obj's
// managedFields say is ours, by its path, with a short keyed hash of its value.
// obj is the server's reply, so defaults, normalisation and what webhooks wrote
// at that moment are part of it and never become drift.
//
// The hash is keyed with the object's UID and cut to 32 bits: it tells that a
// value changed, never what it was.
func Baseline(obj Object) map[string]string {
	fields := values(obj)
	baseline := map[string]string{}
	for _, entry := range obj.GetManagedFields() {
		if !ours(entry) {
			continue
		}
		fieldSet(entry).Leaves().Iterate(func(p fieldpath.Path) {
			text := fieldText(p)
			if v, ok := fields[text]; ok && watched(text) {
				baseline[text] = fingerprint(obj, text, v)
			}
		})
	}
	return baseline
}

func ours(entry metav1.ManagedFieldsEntry) bool {
	return entry.Manager == release.FieldManager && entry.Operation == metav1.ManagedFieldsOperationApply && entry.Subresource == ""
}

// watched leaves out our own bookkeeping, which changes as releases change
// hands: labels for custody and status, and the annotations that no import needs.
func watched(path string) bool {
	if key, ok := strings.CutPrefix(path, "metadata.annotations["+release.Prefix); ok {
		switch release.Prefix + strings.TrimSuffix(key, "]") {
		case release.AnnotationVersion, release.AnnotationContentHash, release.AnnotationSpec:
			return true
		}
		return false
	}
	switch path {
	case "spec.template.metadata.annotations[" + release.AnnotationRestartedAt + "]", // carried over from what lives
		"metadata.labels[" + release.LabelCustody + "]", "metadata.labels[" + release.LabelStatus + "]":
		return false
	}
	return !strings.HasPrefix(path, "status")
}

func fingerprint(obj Object, path string, v any) string {
	key := string(obj.GetUID())
	if key == "" {
		key = obj.GetNamespace() + "/" + obj.GetName()
	}
	text, err := json.Marshal(v) // maps are written in key order
	if err != nil {
		return ""
	}
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(path))
	mac.Write([]byte{0})
	mac.Write(text)
	return hex.EncodeToString(mac.Sum(nil)[:4])
}
