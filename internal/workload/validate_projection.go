package workload

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// checkProjections looks at each source, and that no two of them make one file.
func checkProjections(r *report, at path, list []release.Projection) {
	files := map[string]string{}
	file := func(at path, name string) {
		if badFile(name) {
			r.add(at, "Invalid file path", "%q cannot be where a file is put: the path is relative to the mount and may not contain \"..\". Use a file name.", name)
		} else if other, twice := files[name]; twice {
			r.add(at, "File made twice", "%q is also made by %s, and a directory has one file of a name. Choose another path for one of them.", name, other)
		}
		files[name] = at.text()
	}
	for i, p := range list {
		at := at.to("sources", i)
		var kinds []string
		for _, files := range []struct {
			attribute, kind string
			from            *release.FilesFrom
		}{{"config_map", "ConfigMap", p.ConfigMap}, {"secret", "Secret", p.Secret}} {
			if files.from == nil {
				continue
			}
			kinds = append(kinds, files.attribute)
			checkObjectName(r, at.to(files.attribute, "name"), files.kind, files.from.Name)
			for _, key := range slices.Sorted(maps.Keys(files.from.Items)) {
				file(at.to(files.attribute, "items", Key(key)), files.from.Items[key])
			}
		}
		if len(p.DownwardAPI) > 0 {
			kinds = append(kinds, "downward_api")
		}
		for _, name := range slices.Sorted(maps.Keys(p.DownwardAPI)) {
			at := at.to("downward_api", "items", Key(name))
			file(at, name)
			checkFileField(r, at, p.DownwardAPI[name])
		}
		if p.Token != nil {
			kinds = append(kinds, "service_account_token")
			file(at.to("service_account_token", "path"), p.Token.Path)
			checkTokenSeconds(r, at.to("service_account_token", "expiration_seconds"), p.Token.ExpirationSeconds)
		}
		if len(kinds) != 1 {
			r.add(at, "Not exactly one source",
				"A source is exactly one of config_map, secret, downward_api and service_account_token. %s Keep one, and make further sources of the others.", hasText(kinds))
		}
	}
}

// badFile says that a path leads out of a volume, or nowhere.
func badFile(name string) bool {
	return name == "" || strings.HasPrefix(name, "/") || slices.Contains(strings.Split(name, "/"), "..")
}

// hasText says what there is where there should be exactly one.
func hasText(kinds []string) string {
	if len(kinds) == 0 {
		return "It has none."
	}
	return "It has " + strings.Join(kinds, ", ") + "."
}

// fileFields are what a file can be of a pod, but for single labels, annotations and
// resources.
var fileFields = []string{"metadata.name", "metadata.namespace", "metadata.uid", "metadata.labels", "metadata.annotations"}

func checkFileField(r *report, at path, field string) {
	if !slices.Contains(fileFields, field) && !metadataField.MatchString(field) && !isResourceField(field) {
		r.add(at, "Unknown field", "%q is no field that a file can be. Use one of %s; metadata.labels['KEY'] or metadata.annotations['KEY']; or limits.NAME or requests.NAME with cpu, memory, ephemeral-storage or hugepages-SIZE.",
			field, strings.Join(fileFields, ", "))
	}
}

func checkTokenSeconds(r *report, at path, seconds *int64) {
	if seconds != nil && (*seconds < 600 || *seconds > 1<<32) {
		r.add(at, "Token that ends too soon or too late", "A token holds for 600 to %d seconds; %d is neither. The kubelet renews it: leave it out for %d.", int64(1)<<32, *seconds, release.DefaultTokenSeconds)
	}
}

func checkCSI(r *report, at path, v release.CSIVolume) {
	if bad := validation.IsDNS1123Subdomain(strings.ToLower(v.Driver)); len(bad) > 0 || len(v.Driver) > 63 {
		r.add(at.to("driver"), "Invalid CSI driver", "%q cannot name a CSI driver: it is a domain name of at most 63 characters. Use the name of a CSIDriver of the cluster, such as secrets-store.csi.k8s.io.", v.Driver)
	}
	if v.Secret != "" {
		checkObjectName(r, at.to("node_publish_secret_ref", "name"), "Secret", v.Secret)
	}
}

// accessModes are how a volume may be mounted.
var accessModes = []string{
	string(corev1.ReadWriteOnce), string(corev1.ReadOnlyMany), string(corev1.ReadWriteMany), string(corev1.ReadWriteOncePod),
}

func checkClaimOfPod(r *report, at path, c release.ClaimOfPod) {
	if q, err := resource.ParseQuantity(c.Storage); err != nil || q.Sign() <= 0 {
		r.add(at.to("storage"), "Invalid quantity", "%q is not a size. Write a number with an optional unit, such as \"1Gi\".", c.Storage)
	}
	if len(c.AccessModes) == 0 {
		r.add(at.to("access_modes"), "No access mode", "A claim says how its volume may be mounted. Name one of %s; [\"ReadWriteOnce\"] is what most storage has.", strings.Join(accessModes, ", "))
	}
	for i, mode := range c.AccessModes {
		if !slices.Contains(accessModes, mode) {
			r.add(at.to("access_modes", i), "Unknown access mode", "There is no access mode %q. Use one of %s.", mode, strings.Join(accessModes, ", "))
		}
	}
	if len(c.AccessModes) > 1 && slices.Contains(c.AccessModes, string(corev1.ReadWriteOncePod)) {
		r.add(at.to("access_modes"), "Access modes contradict each other", "ReadWriteOncePod is for one pod alone, and cannot be beside another mode. Keep one of them.")
	}
	if c.StorageClass != nil && *c.StorageClass != "" {
		checkObjectName(r, at.to("storage_class_name"), "StorageClass", *c.StorageClass)
	}
	for _, key := range slices.Sorted(maps.Keys(c.Labels)) {
		checkQualifiedName(r, at.to("labels", Key(key)), "label", key)
		checkLabelValue(r, at.to("labels", Key(key)), "label", c.Labels[key])
	}
	for _, key := range slices.Sorted(maps.Keys(c.Annotations)) {
		checkQualifiedName(r, at.to("annotations", Key(key)), "annotation", strings.ToLower(key))
	}
}
