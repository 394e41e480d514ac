package provider

import (
	"cmp"
	"context"
	"errors"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"

	"github.com/switchback-dev/terraform-provider-switchback/internal/cluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
)

// defaultCluster is the name of the single cluster that the top level or the
// environment describes.
const defaultCluster = "default"

type providerModel struct {
	Clusters     types.Map  `tfsdk:"clusters"`
	ServerDryRun types.Bool `tfsdk:"server_dry_run"`
	connectionModel
}

// connectionModel is one cluster's connection. Its tfsdk names are those of
// cluster.ConfigError's attributes.
type connectionModel struct {
	ConfigPath            types.String `tfsdk:"config_path"`
	ConfigPaths           types.List   `tfsdk:"config_paths"`
	ConfigContext         types.String `tfsdk:"config_context"`
	ConfigContextCluster  types.String `tfsdk:"config_context_cluster"`
	ConfigContextAuthInfo types.String `tfsdk:"config_context_auth_info"`
	Host                  types.String `tfsdk:"host"`
	Token                 types.String `tfsdk:"token"`
	ClusterCACertificate  types.String `tfsdk:"cluster_ca_certificate"`
	ClientCertificate     types.String `tfsdk:"client_certificate"`
	ClientKey             types.String `tfsdk:"client_key"`
	Username              types.String `tfsdk:"username"`
	Password              types.String `tfsdk:"password"`
	Insecure              types.Bool   `tfsdk:"insecure"`
	TLSServerName         types.String `tfsdk:"tls_server_name"`
	ProxyURL              types.String `tfsdk:"proxy_url"`
	Exec                  types.Object `tfsdk:"exec"`
	ExpectedUID           types.String `tfsdk:"expected_uid"`
}

type execModel struct {
	APIVersion types.String `tfsdk:"api_version"`
	Command    types.String `tfsdk:"command"`
	Args       types.List   `tfsdk:"args"`
	Env        types.Map    `tfsdk:"env"`
}

var clusterName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$`)

// conflicts finds what cannot stand together, whatever the values are.
func (m *providerModel) conflicts() diag.Diagnostics {
	var diags diag.Diagnostics
	if m.Clusters.IsNull() {
		return diags
	}
	for _, attribute := range m.set() {
		diags.AddAttributeError(path.Root(attribute), "Conflicting attributes",
			"The connection attributes at the top level describe a single cluster. With clusters, put "+attribute+" into the cluster that it is for.")
	}
	if m.Clusters.IsUnknown() {
		return diags
	}
	if len(m.Clusters.Elements()) == 0 {
		diags.AddAttributeError(path.Root("clusters"), "No cluster", "clusters is empty: configure at least one, or leave it out and use the attributes at the top level.")
	}
	for name, value := range m.Clusters.Elements() {
		at := path.Root("clusters").AtMapKey(name)
		if !clusterName.MatchString(name) {
			diags.AddAttributeError(at, "Invalid cluster name", strconv.Quote(name)+" must be at most 63 letters, digits, dots, dashes and underscores, and begin and end with a letter or digit.")
		}
		if value.IsNull() {
			diags.AddAttributeError(at, "No connection", "Cluster "+strconv.Quote(name)+" is null.")
		}
	}
	return diags
}

// set are the connection attributes that are not null, in the order of the
// struct.
func (m *connectionModel) set() []string {
	return m.attributes(func(v attr.Value) bool { return !v.IsNull() })
}

func (m *connectionModel) attributes(match func(attr.Value) bool) []string {
	var names []string
	v := reflect.ValueOf(*m)
	for i := range v.NumField() {
		if match(v.Field(i).Interface().(attr.Value)) {
			names = append(names, v.Type().Field(i).Tag.Get("tfsdk"))
		}
	}
	return names
}

// settings are the configured clusters, by name; nil without an error where
// even their names are not known yet.
func (m *providerModel) settings(ctx context.Context) ([]session.Settings, diag.Diagnostics) {
	var diags diag.Diagnostics
	if m.Clusters.IsUnknown() {
		return nil, diags
	}
	if m.Clusters.IsNull() {
		s, d := m.single(ctx)
		return []session.Settings{s}, d
	}
	all := []session.Settings{}
	for name, value := range m.Clusters.Elements() {
		s := session.Settings{At: path.Root("clusters").AtMapKey(name), Unknown: []string{""}, Config: cluster.Config{Name: name}}
		if object, ok := value.(types.Object); ok && !value.IsUnknown() {
			var connection connectionModel
			d := object.As(ctx, &connection, basetypes.ObjectAsOptions{})
			if !d.HasError() {
				s.Unknown, s.Config, d = connection.config(ctx, name)
			}
			diags.Append(d...)
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b session.Settings) int { return cmp.Compare(a.Config.Name, b.Config.Name) })
	return all, diags
}

// single is the one cluster of the top level. What that does not say, the
// environment may: it is not a stand-in for what is not known yet.
func (m *providerModel) single(ctx context.Context) (session.Settings, diag.Diagnostics) {
	unknown, config, diags := m.config(ctx, defaultCluster)
	s := session.Settings{At: path.Empty(), Unknown: unknown, Config: config}
	if len(unknown) > 0 || diags.HasError() {
		return s, diags
	}
	var (
		err   error
		fault *cluster.ConfigError
	)
	s.Config, err = config.WithEnvironment(os.Getenv)
	switch {
	case errors.As(err, &fault):
		diags.Append(session.ConfigDiagnostic(&s, fault))
	case err != nil:
		diags.AddError("Invalid connection", explain.Sentence(err.Error()))
	case s.Config.Empty():
		diags.AddError("No cluster is configured",
			"Set clusters, or config_path (with config_context), or host and a credential in the provider's configuration, or the environment variables KUBE_CONFIG_PATH or KUBE_HOST. "+
				"No default is assumed: neither localhost nor ~/.kube/config nor a service account.")
	}
	return s, diags
}

// config is the connection, and which attributes of it are not known yet.
func (m *connectionModel) config(ctx context.Context, name string) (unknown []string, config cluster.Config, diags diag.Diagnostics) {
	config = cluster.Config{
		Name:                  name,
		ConfigPath:            m.ConfigPath.ValueString(),
		ConfigContext:         m.ConfigContext.ValueString(),
		ConfigContextCluster:  m.ConfigContextCluster.ValueString(),
		ConfigContextAuthInfo: m.ConfigContextAuthInfo.ValueString(),
		Host:                  m.Host.ValueString(),
		Token:                 m.Token.ValueString(),
		ClusterCACertificate:  m.ClusterCACertificate.ValueString(),
		ClientCertificate:     m.ClientCertificate.ValueString(),
		ClientKey:             m.ClientKey.ValueString(),
		Username:              m.Username.ValueString(),
		Password:              m.Password.ValueString(),
		Insecure:              m.Insecure.ValueBoolPointer(),
		TLSServerName:         m.TLSServerName.ValueString(),
		ProxyURL:              m.ProxyURL.ValueString(),
		ExpectedUID:           m.ExpectedUID.ValueString(),
	}
	unknown = m.attributes(func(v attr.Value) bool { return !attrs.WhollyKnown(ctx, v) })
	if len(unknown) > 0 {
		return unknown, config, diags
	}
	for attribute, value := range map[string]types.String{"token": m.Token, "client_certificate": m.ClientCertificate, "client_key": m.ClientKey, "username": m.Username} {
		if !value.IsNull() && strings.TrimSpace(value.ValueString()) == "" {
			config.Blank = append(config.Blank, attribute)
		}
	}
	slices.Sort(config.Blank)
	diags.Append(m.ConfigPaths.ElementsAs(ctx, &config.ConfigPaths, false)...)
	if !m.Exec.IsNull() {
		var exec execModel
		diags.Append(m.Exec.As(ctx, &exec, basetypes.ObjectAsOptions{})...)
		config.Exec = &cluster.Exec{APIVersion: exec.APIVersion.ValueString(), Command: exec.Command.ValueString()}
		diags.Append(exec.Args.ElementsAs(ctx, &config.Exec.Args, false)...)
		diags.Append(exec.Env.ElementsAs(ctx, &config.Exec.Env, false)...)
	}
	return nil, config, diags
}
