package main

import (
	"strings"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// The format of "terraform providers schema -json".
type (
	document struct {
		FormatVersion string                    `json:"format_version"`
		Providers     map[string]providerSchema `json:"provider_schemas"`
	}
	providerSchema struct {
		Provider           schema              `json:"provider"`
		Resources          map[string]schema   `json:"resource_schemas,omitempty"`
		DataSources        map[string]schema   `json:"data_source_schemas,omitempty"`
		EphemeralResources map[string]schema   `json:"ephemeral_resource_schemas,omitempty"`
		ListResources      map[string]schema   `json:"list_resource_schemas,omitempty"`
		Actions            map[string]action   `json:"action_schemas,omitempty"`
		Identities         map[string]identity `json:"resource_identity_schemas,omitempty"`
		Functions          map[string]function `json:"functions,omitempty"`
	}
	function struct {
		Description       string       `json:"description,omitempty"`
		Summary           string       `json:"summary,omitempty"`
		Deprecation       string       `json:"deprecation_message,omitempty"`
		ReturnType        tftypes.Type `json:"return_type"`
		Parameters        []parameter  `json:"parameters,omitempty"`
		VariadicParameter *parameter   `json:"variadic_parameter,omitempty"`
	}
	parameter struct {
		Name        string       `json:"name"`
		Description string       `json:"description,omitempty"`
		IsNullable  bool         `json:"is_nullable,omitempty"`
		Type        tftypes.Type `json:"type"`
	}
	schema struct {
		Version int64 `json:"version"`
		Block   block `json:"block"`
	}
	action struct {
		Block block `json:"block"`
	}
	block struct {
		Attributes      map[string]attribute `json:"attributes,omitempty"`
		BlockTypes      map[string]blockType `json:"block_types,omitempty"`
		Description     string               `json:"description,omitempty"`
		DescriptionKind string               `json:"description_kind,omitempty"`
		Deprecated      bool                 `json:"deprecated,omitempty"`
	}
	blockType struct {
		NestingMode string `json:"nesting_mode"`
		Block       block  `json:"block"`
		MinItems    int64  `json:"min_items,omitempty"`
		MaxItems    int64  `json:"max_items,omitempty"`
	}
	attribute struct {
		Type            tftypes.Type `json:"type,omitempty"`
		NestedType      *nestedType  `json:"nested_type,omitempty"`
		Description     string       `json:"description,omitempty"`
		DescriptionKind string       `json:"description_kind,omitempty"`
		Deprecated      bool         `json:"deprecated,omitempty"`
		Required        bool         `json:"required,omitempty"`
		Optional        bool         `json:"optional,omitempty"`
		Computed        bool         `json:"computed,omitempty"`
		Sensitive       bool         `json:"sensitive,omitempty"`
		WriteOnly       bool         `json:"write_only,omitempty"`
	}
	nestedType struct {
		Attributes  map[string]attribute `json:"attributes"`
		NestingMode string               `json:"nesting_mode"`
	}
	identity struct {
		Version    int64                        `json:"version"`
		Attributes map[string]identityAttribute `json:"attributes"`
	}
	identityAttribute struct {
		Type              tftypes.Type `json:"type"`
		Description       string       `json:"description,omitempty"`
		RequiredForImport bool         `json:"required_for_import,omitempty"`
		OptionalForImport bool         `json:"optional_for_import,omitempty"`
	}
)

// each converts every value of a map.
func each[From, To any](from map[string]From, convert func(From) To) map[string]To {
	to := make(map[string]To, len(from))
	for name, value := range from {
		to[name] = convert(value)
	}
	return to
}

func schemaOf(s *tfprotov6.Schema) schema {
	if s == nil {
		return schema{}
	}
	return schema{Version: s.Version, Block: blockOf(s.Block)}
}

func actionOf(a *tfprotov6.ActionSchema) action {
	return action{Block: schemaOf(a.Schema).Block}
}

func blockOf(b *tfprotov6.SchemaBlock) block {
	if b == nil {
		return block{}
	}
	nested := make(map[string]blockType, len(b.BlockTypes))
	for _, n := range b.BlockTypes {
		nested[n.TypeName] = blockType{
			NestingMode: strings.ToLower(n.Nesting.String()), Block: blockOf(n.Block), MinItems: n.MinItems, MaxItems: n.MaxItems,
		}
	}
	return block{
		Attributes: attributesOf(b.Attributes), BlockTypes: nested,
		Description: b.Description, DescriptionKind: kindOf(b.DescriptionKind), Deprecated: b.Deprecated,
	}
}

func attributesOf(attributes []*tfprotov6.SchemaAttribute) map[string]attribute {
	to := make(map[string]attribute, len(attributes))
	for _, a := range attributes {
		converted := attribute{
			Type: a.Type, Description: a.Description, DescriptionKind: kindOf(a.DescriptionKind), Deprecated: a.Deprecated,
			Required: a.Required, Optional: a.Optional, Computed: a.Computed, Sensitive: a.Sensitive, WriteOnly: a.WriteOnly,
		}
		if n := a.NestedType; n != nil {
			converted.NestedType = &nestedType{Attributes: attributesOf(n.Attributes), NestingMode: strings.ToLower(n.Nesting.String())}
		}
		to[a.Name] = converted
	}
	return to
}

func identityOf(s *tfprotov6.ResourceIdentitySchema) identity {
	attributes := make(map[string]identityAttribute, len(s.IdentityAttributes))
	for _, a := range s.IdentityAttributes {
		attributes[a.Name] = identityAttribute{
			Type: a.Type, Description: a.Description,
			RequiredForImport: a.RequiredForImport, OptionalForImport: a.OptionalForImport,
		}
	}
	return identity{Version: s.Version, Attributes: attributes}
}

func functionOf(f *tfprotov6.Function) function {
	converted := function{
		Description: f.Description, Summary: f.Summary, Deprecation: f.DeprecationMessage, ReturnType: f.Return.Type,
	}
	for _, p := range f.Parameters {
		converted.Parameters = append(converted.Parameters, parameterOf(p))
	}
	if f.VariadicParameter != nil {
		variadic := parameterOf(f.VariadicParameter)
		converted.VariadicParameter = &variadic
	}
	return converted
}

func parameterOf(p *tfprotov6.FunctionParameter) parameter {
	return parameter{Name: p.Name, Description: p.Description, IsNullable: p.AllowNullValue, Type: p.Type}
}

func kindOf(k tfprotov6.StringKind) string {
	if k == tfprotov6.StringKindMarkdown {
		return "markdown"
	}
	return "plain"
}
