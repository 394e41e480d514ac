package release

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"
)

// What every object of ours carries. Selectors of workloads and Services are
// exactly LabelDeployment and LabelRole=RoleApp.
const (
	Prefix = "switchback.dev/"

	LabelName        = "app.kubernetes.io/name"       // the application
	LabelInstance    = "app.kubernetes.io/instance"   // the release's name
	LabelVersion     = "app.kubernetes.io/version"    // the version, sanitised
	LabelManagedBy   = "app.kubernetes.io/managed-by" // ManagedBy
	LabelApplication = Prefix + "application"
	LabelDeployment  = Prefix + "deployment"
	LabelEnvironment = Prefix + "environment"
	LabelRole        = Prefix + "role"
	LabelCustody     = Prefix + "custody" // on records and workloads, so that kubectl can show and select it
	LabelStatus      = Prefix + "status"

	AnnotationVersion     = Prefix + "version" // exact
	AnnotationContentHash = Prefix + "content-hash"
	AnnotationSpec        = Prefix + "spec" // what the user typed, without env values

	ManagedBy    = "switchback"
	FieldManager = "switchback"
	ScaleManager = "switchback-scale" // holds the number of pods while nobody else does
	RoleApp      = "app"
	RoleMain     = "main"   // the application's own address
	RoleRecord   = "record" // a release's ConfigMap
	RolePointer  = "pointer"
	RoleDNS      = "dns"     // what external-dns makes records from
	RoleFiles    = "files"   // a ConfigMap with files of a release
	RolePreview  = "preview" // a release's own address, outside the cluster
)

// ManagedSelector selects everything that is ours.
const ManagedSelector = LabelManagedBy + "=" + ManagedBy

var notLabel = regexp.MustCompile(`[^A-Za-z0-9_.-]`)

// LabelValue turns any text into a valid label value: characters that labels do
// not allow become "_", and what is longer than 63 characters, or would not
// begin and end alphanumerically, is cut and closed with a hash of the whole.
func LabelValue(s string) string {
	v := notLabel.ReplaceAllString(s, "_")
	trimmed := strings.Trim(v, "_.-")
	if len(v) <= 63 && trimmed == v {
		return v
	}
	sum := sha256.Sum256([]byte(s))
	suffix := hex.EncodeToString(sum[:4])
	if len(trimmed) > 54 {
		trimmed = strings.TrimRight(trimmed[:54], "_.-")
	}
	return strings.TrimLeft(trimmed+"-"+suffix, "-")
}

// Selector is what selects the pods of one release, and nothing else.
func Selector(name string) map[string]string {
	return map[string]string{LabelDeployment: name, LabelRole: RoleApp}
}
