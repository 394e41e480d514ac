package coretest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

// object is what the state has of a resource's instance.
type object struct {
	resource, key string // key is "" where the resource has no for_each
	deposed       string // by what it is known, where it waits for its destroy
	value         cty.Value
	private       []byte
	identity      json.RawMessage
	dependencies  []string
	createFirst   bool
	tainted       bool

	stored     json.RawMessage // as in the file, until it is upgraded
	version    int64
	ofIdentity int64
}

// instance is the object's address.
func (o *object) instance() string { return instanceOf(o.resource, o.key) }

func instanceOf(resource, key string) string {
	if key == "" {
		return resource
	}
	return fmt.Sprintf("%s[%q]", resource, key)
}

// The file, version 4, as far as it is used here.
type (
	fileOfState struct {
		Version          int                     `json:"version"`
		TerraformVersion string                  `json:"terraform_version"`
		Serial           int                     `json:"serial"`
		Lineage          string                  `json:"lineage"`
		Outputs          map[string]storedOutput `json:"outputs"`
		Resources        []storedResource        `json:"resources"`
		CheckResults     json.RawMessage         `json:"check_results"`
	}
	storedOutput struct {
		Value json.RawMessage `json:"value"`
		Type  json.RawMessage `json:"type"`
	}
	storedResource struct {
		Mode      string           `json:"mode"`
		Type      string           `json:"type"`
		Name      string           `json:"name"`
		Provider  string           `json:"provider"`
		Instances []storedInstance `json:"instances"`
	}
	storedInstance struct {
		IndexKey              any             `json:"index_key,omitempty"`
		Status                string          `json:"status,omitempty"`
		Deposed               string          `json:"deposed,omitempty"`
		SchemaVersion         int64           `json:"schema_version"`
		Attributes            json.RawMessage `json:"attributes"`
		SensitiveAttributes   []any           `json:"sensitive_attributes"`
		IdentitySchemaVersion int64           `json:"identity_schema_version"`
		Identity              json.RawMessage `json:"identity,omitempty"`
		Private               []byte          `json:"private,omitempty"`
		Dependencies          []string        `json:"dependencies,omitempty"`
		CreateBeforeDestroy   bool            `json:"create_before_destroy,omitempty"`
	}
)

// readState reads a directory's state, and what is of use of its head.
func readState(dir string) (head fileOfState, objects []*object, err error) {
	head = fileOfState{Version: 4, TerraformVersion: "1.8.0", Lineage: "coretest"}
	text, err := os.ReadFile(filepath.Join(dir, "terraform.tfstate"))
	if errors.Is(err, fs.ErrNotExist) {
		return head, nil, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &head)
	}
	if err != nil {
		return head, nil, err
	}
	for _, r := range head.Resources {
		address := r.Type + "." + r.Name
		if r.Mode == "data" {
			continue // it is read anew
		}
		for _, i := range r.Instances {
			key, isText := i.IndexKey.(string)
			switch {
			case i.IndexKey != nil && !isText:
				return head, nil, unsupported("count, as the state of %s has it,", address)
			case i.Status != "":
				return head, nil, unsupported("a %s object, as the state of %s is,", i.Status, address)
			}
			objects = append(objects, &object{
				resource: address, key: key, deposed: i.Deposed, private: i.Private, identity: i.Identity, dependencies: i.Dependencies,
				createFirst: i.CreateBeforeDestroy, stored: i.Attributes, version: i.SchemaVersion, ofIdentity: i.IdentitySchemaVersion,
			})
		}
	}
	return head, objects, nil
}

// upgrade gives an object that was read from a file its value.
func (r *run) upgrade(ctx context.Context, o *object) error {
	schema := r.schemas.ResourceSchemas[typeName(o.resource)]
	if schema == nil {
		return unsupported("%s, which the state has,", o.resource)
	}
	resp, err := r.server.UpgradeResourceState(ctx, &tfprotov6.UpgradeResourceStateRequest{
		TypeName: typeName(o.resource), Version: o.version, RawState: &tfprotov6.RawState{JSON: o.stored},
	})
	if err != nil {
		return err
	}
	if r.tell(o.instance(), resp.Diagnostics) {
		return errTold
	}
	if ids := r.identities.IdentitySchemas[typeName(o.resource)]; o.identity != nil && ids != nil && ids.Version != o.ofIdentity {
		return unsupported("an identity of a former version, as of %s,", o.instance())
	}
	o.value, err = unpack(resp.UpgradedState, typeOf(schema.ValueType()))
	return err
}

func typeName(resource string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(resource, "data."), ".")
	return name
}

// write writes the state, unless nothing has changed.
func (r *run) write() error {
	before, after := r.head.Resources, map[string]*storedResource{}
	outputs := r.head.Outputs
	for _, o := range r.objects {
		s := after[o.resource]
		if s == nil {
			s = &storedResource{Mode: "managed", Type: typeName(o.resource), Provider: fmt.Sprintf("provider[%q]", r.core.Address)}
			s.Name = o.resource[strings.LastIndex(o.resource, ".")+1:]
			if isData(o.resource) {
				s.Mode = "data"
			}
			after[o.resource] = s
		}
		attributes, err := ctyjson.Marshal(o.value, o.value.Type())
		if err != nil {
			return err
		}
		i := storedInstance{
			Deposed: o.deposed, Attributes: attributes, SensitiveAttributes: []any{}, Identity: o.identity, Private: o.private,
			Dependencies: o.dependencies, CreateBeforeDestroy: o.createFirst,
		}
		if schema := r.schemas.ResourceSchemas[s.Type]; s.Mode == "managed" {
			i.SchemaVersion = schema.Version
			if o.identity != nil {
				i.IdentitySchemaVersion = r.identities.IdentitySchemas[s.Type].Version
			}
		}
		if o.key != "" {
			i.IndexKey = o.key
		}
		if o.tainted {
			i.Status = "tainted"
		}
		s.Instances = append(s.Instances, i)
	}
	r.head.Resources = []storedResource{}
	for _, s := range after {
		slices.SortFunc(s.Instances, func(a, b storedInstance) int {
			return strings.Compare(fmt.Sprint(a.IndexKey, a.Deposed), fmt.Sprint(b.IndexKey, b.Deposed))
		})
		r.head.Resources = append(r.head.Resources, *s)
	}
	slices.SortFunc(r.head.Resources, func(a, b storedResource) int {
		return strings.Compare(a.Mode+a.Type+a.Name, b.Mode+b.Type+b.Name)
	})
	if r.outputs != nil {
		r.head.Outputs = r.outputs
	}
	if same(before, r.head.Resources) && same(outputs, r.head.Outputs) {
		return nil
	}
	r.head.Serial++
	text, err := json.MarshalIndent(r.head, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.dir, "terraform.tfstate"), text, 0o600)
}

func same(a, b any) bool {
	one, err1 := json.Marshal(a)
	other, err2 := json.Marshal(b)
	return err1 == nil && err2 == nil && bytes.Equal(one, other)
}
