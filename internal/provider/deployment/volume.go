package deployment

import (
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework-validators/listvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/mapvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

type projectedModel struct {
	Sources []projectionModel `tfsdk:"sources"`
}

type projectionModel struct {
	ConfigMap   *filesModel       `tfsdk:"config_map"`
	Secret      *filesModel       `tfsdk:"secret"`
	DownwardAPI *downwardAPIModel `tfsdk:"downward_api"`
	Token       *tokenModel       `tfsdk:"service_account_token"`
}

type downwardAPIModel struct {
	Items map[string]*string `tfsdk:"items"`
}

type tokenModel struct {
	Path              string  `tfsdk:"path"`
	Audience          *string `tfsdk:"audience"`
	ExpirationSeconds *int64  `tfsdk:"expiration_seconds"`
}

type csiModel struct {
	Driver     string             `tfsdk:"driver"`
	ReadOnly   *bool              `tfsdk:"read_only"`
	FSType     *string            `tfsdk:"fs_type"`
	Attributes map[string]*string `tfsdk:"volume_attributes"`
	Secret     *secretRefModel    `tfsdk:"node_publish_secret_ref"`
}

type secretRefModel struct {
	Name string `tfsdk:"name"`
}

type claimOfPodModel struct {
	Storage      string             `tfsdk:"storage"`
	AccessModes  []string           `tfsdk:"access_modes"`
	StorageClass *string            `tfsdk:"storage_class_name"`
	Labels       map[string]*string `tfsdk:"labels"`
	Annotations  map[string]*string `tfsdk:"annotations"`
}

func filesAttribute(what string) schema.SingleNestedAttribute {
	return schema.SingleNestedAttribute{
		Optional:            true,
		MarkdownDescription: "The keys of a " + what + " in the same namespace, as files. Files change when the " + what + " does, without a new deployment.",
		Attributes: map[string]schema.Attribute{
			"name":     requiredString("Name of the " + what + "."),
			"items":    attrs.StringMap("Only these keys: key to relative file path. Default: every key under its own name."),
			"optional": optionalBool("Start without the files where the " + what + " does not exist. Default: `false`."),
		},
	}
}

func projectedAttribute() schema.SingleNestedAttribute {
	return schema.SingleNestedAttribute{
		Optional:            true,
		MarkdownDescription: "Several sources as the files of one directory.",
		Attributes: map[string]schema.Attribute{"sources": schema.ListNestedAttribute{
			Required:            true,
			MarkdownDescription: "Each has exactly one of `config_map`, `secret`, `downward_api` and `service_account_token`.",
			Validators:          []validator.List{listvalidator.SizeAtLeast(1), listvalidator.NoNullValues()},
			NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
				"config_map": filesAttribute("ConfigMap"),
				"secret":     filesAttribute("Secret"),
				"downward_api": schema.SingleNestedAttribute{
					Optional:            true,
					MarkdownDescription: "What is known only where the pod runs.",
					Attributes: map[string]schema.Attribute{"items": schema.MapAttribute{
						ElementType: types.StringType,
						Required:    true,
						MarkdownDescription: "Relative file path to a field of the pod, such as `metadata.labels`, `metadata.name` or `metadata.annotations['KEY']`, " +
							"or to what the application's container has, such as `limits.memory`.",
						Validators: []validator.Map{mapvalidator.SizeAtLeast(1), mapvalidator.NoNullValues()},
					}},
				},
				"service_account_token": schema.SingleNestedAttribute{
					Optional:            true,
					MarkdownDescription: "A token of the pods' service account, which is renewed before it ends. No token reaches state or plan.",
					Attributes: map[string]schema.Attribute{
						"path":     requiredString("Relative file path."),
						"audience": attrs.OptionalString("For whom the token is. Default: the API server."),
						"expiration_seconds": schema.Int64Attribute{
							CustomType:          attrs.WholeNumber64{},
							Optional:            true,
							MarkdownDescription: fmt.Sprintf("How long a token holds, at least 600. Default: %d.", release.DefaultTokenSeconds),
						},
					},
				},
			}},
		}},
	}
}

func csiAttribute() schema.SingleNestedAttribute {
	return schema.SingleNestedAttribute{
		Optional:            true,
		MarkdownDescription: "A volume that a CSI driver of the cluster makes for each pod, such as `secrets-store.csi.k8s.io`. What a driver makes of claims is mounted by `persistent_volume_claim` or `ephemeral`.",
		Attributes: map[string]schema.Attribute{
			"driver":            requiredString("Name of the CSIDriver."),
			"read_only":         optionalBool("Default: `false`. Some drivers take nothing but `true`."),
			"fs_type":           attrs.OptionalString("File system, such as `ext4`. Default: the driver's."),
			"volume_attributes": attrs.StringMap("What the driver is told. Values are stored in state: put secrets in `node_publish_secret_ref`."),
			"node_publish_secret_ref": schema.SingleNestedAttribute{
				Optional:            true,
				MarkdownDescription: "A Secret in the same namespace that the driver gets. It is referenced, never read.",
				Attributes:          map[string]schema.Attribute{"name": requiredString("Name of the Secret.")},
			},
		},
	}
}

func claimOfPodAttribute() schema.SingleNestedAttribute {
	return schema.SingleNestedAttribute{
		Optional:            true,
		MarkdownDescription: "A PersistentVolumeClaim that is made for each pod, and removed with it: scratch space of another size or kind than the node has. What must outlive a pod is in a `persistent_volume_claim`.",
		Attributes: map[string]schema.Attribute{
			"storage": requiredString("Kubernetes quantity, such as `10Gi`."),
			"access_modes": schema.ListAttribute{
				ElementType:         types.StringType,
				Required:            true,
				MarkdownDescription: "How it may be mounted: `ReadWriteOnce`, as most storage can, `ReadOnlyMany`, `ReadWriteMany` or `ReadWriteOncePod`.",
				Validators:          []validator.List{listvalidator.NoNullValues()},
			},
			"storage_class_name": attrs.OptionalString("StorageClass of the claims. Default: the cluster's; `\"\"` is none."),
			"labels":             attrs.StringMap("Labels of the claims."),
			"annotations":        attrs.StringMap("Annotations of the claims."),
		},
	}
}

func (m *filesModel) content() *release.FilesFrom {
	if m == nil {
		return nil
	}
	return &release.FilesFrom{Name: m.Name, Items: attrs.Present(m.Items), Optional: value(m.Optional)}
}

func newFilesModel(f *release.FilesFrom) *filesModel {
	if f == nil {
		return nil
	}
	return &filesModel{Name: f.Name, Items: pointers(f.Items), Optional: pointer(f.Optional)}
}

func (m *projectedModel) content() []release.Projection {
	if m == nil {
		return nil
	}
	return attrs.ConvertList(m.Sources, func(s projectionModel) release.Projection {
		p := release.Projection{ConfigMap: s.ConfigMap.content(), Secret: s.Secret.content()}
		if s.DownwardAPI != nil {
			p.DownwardAPI = attrs.Present(s.DownwardAPI.Items)
		}
		if t := s.Token; t != nil {
			p.Token = &release.TokenFile{Path: t.Path, Audience: value(t.Audience), ExpirationSeconds: t.ExpirationSeconds}
		}
		return p
	})
}

func newProjectedModel(list []release.Projection) *projectedModel {
	if len(list) == 0 {
		return nil
	}
	return &projectedModel{Sources: attrs.ConvertList(list, func(p release.Projection) projectionModel {
		s := projectionModel{ConfigMap: newFilesModel(p.ConfigMap), Secret: newFilesModel(p.Secret)}
		if len(p.DownwardAPI) > 0 {
			s.DownwardAPI = &downwardAPIModel{Items: pointers(p.DownwardAPI)}
		}
		if t := p.Token; t != nil {
			s.Token = &tokenModel{Path: t.Path, Audience: pointer(t.Audience), ExpirationSeconds: t.ExpirationSeconds}
		}
		return s
	})}
}

func (m *csiModel) content() *release.CSIVolume {
	if m == nil {
		return nil
	}
	v := &release.CSIVolume{Driver: m.Driver, ReadOnly: value(m.ReadOnly), FSType: value(m.FSType), Attributes: attrs.Present(m.Attributes)}
	if m.Secret != nil {
		v.Secret = m.Secret.Name
	}
	return v
}

func newCSIModel(v *release.CSIVolume) *csiModel {
	if v == nil {
		return nil
	}
	m := &csiModel{Driver: v.Driver, ReadOnly: pointer(v.ReadOnly), FSType: pointer(v.FSType), Attributes: pointers(v.Attributes)}
	if v.Secret != "" {
		m.Secret = &secretRefModel{Name: v.Secret}
	}
	return m
}

func (m *claimOfPodModel) content() *release.ClaimOfPod {
	if m == nil {
		return nil
	}
	return &release.ClaimOfPod{Storage: m.Storage, AccessModes: m.AccessModes, StorageClass: m.StorageClass, Labels: attrs.Present(m.Labels), Annotations: attrs.Present(m.Annotations)}
}

func newClaimOfPodModel(c *release.ClaimOfPod) *claimOfPodModel {
	if c == nil {
		return nil
	}
	return &claimOfPodModel{Storage: c.Storage, AccessModes: c.AccessModes, StorageClass: c.StorageClass, Labels: pointers(c.Labels), Annotations: pointers(c.Annotations)}
}
