package release

// Projection is one of the sources that a projected volume puts into one directory;
// exactly one field is set.
type Projection struct {
	ConfigMap   *FilesFrom        `json:"configMap,omitempty"`
	Secret      *FilesFrom        `json:"secret,omitempty"`
	DownwardAPI map[string]string `json:"downwardAPI,omitempty"` // path -> a field of the pod, or a resource of the application's container
	Token       *TokenFile        `json:"serviceAccountToken,omitempty"`
}

// TokenFile is a token of the pod's service account, which the kubelet renews.
type TokenFile struct {
	Path              string `json:"path"`
	Audience          string `json:"audience,omitempty"`          // empty: the API server
	ExpirationSeconds *int64 `json:"expirationSeconds,omitempty"` // nil: DefaultTokenSeconds
}

// DefaultTokenSeconds is how long a token holds where nobody says so.
const DefaultTokenSeconds int64 = 3600

// CSIVolume is made by a storage driver for each pod. Secret is the name of the one
// that the driver gets; it is never read.
type CSIVolume struct {
	Driver     string            `json:"driver"`
	ReadOnly   bool              `json:"readOnly,omitempty"`
	FSType     string            `json:"fsType,omitempty"`
	Attributes map[string]string `json:"volumeAttributes,omitempty"`
	Secret     string            `json:"nodePublishSecretRef,omitempty"`
}

// ClaimOfPod is a PersistentVolumeClaim that is made for each pod, and ends with it.
type ClaimOfPod struct {
	Storage      string            `json:"storage"` // a quantity
	AccessModes  []string          `json:"accessModes,omitempty"`
	StorageClass *string           `json:"storageClassName,omitempty"` // nil: the cluster's default
	Labels       map[string]string `json:"labels,omitempty"`
	Annotations  map[string]string `json:"annotations,omitempty"`
}

func normalizeProjections(list []Projection) []Projection {
	list = cloneSlice(list)
	for i := range list {
		p := &list[i]
		for _, files := range []**FilesFrom{&p.ConfigMap, &p.Secret} {
			if *files = clonePointer(*files); *files != nil {
				(*files).Items = cloneMap((*files).Items)
			}
		}
		p.DownwardAPI = cloneMap(p.DownwardAPI)
		if p.Token = clonePointer(p.Token); p.Token != nil {
			if p.Token.ExpirationSeconds = clonePointer(p.Token.ExpirationSeconds); p.Token.ExpirationSeconds != nil && *p.Token.ExpirationSeconds == DefaultTokenSeconds {
				p.Token.ExpirationSeconds = nil
			}
		}
	}
	return list
}

func (v *CSIVolume) normalize() *CSIVolume {
	n := clonePointer(v)
	if n != nil {
		n.Attributes = cloneMap(n.Attributes)
	}
	return n
}

func (c *ClaimOfPod) normalize() *ClaimOfPod {
	n := clonePointer(c)
	if n == nil {
		return nil
	}
	n.Storage = normalizeQuantity(n.Storage)
	n.StorageClass = clonePointer(n.StorageClass)
	n.Labels, n.Annotations = cloneMap(n.Labels), cloneMap(n.Annotations)
	n.AccessModes = cloneSlice(n.AccessModes)
	return n
}
