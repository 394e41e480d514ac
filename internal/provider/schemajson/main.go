// Command schemajson writes the provider's schemas to standard output, in the
// format of "terraform providers schema -json".
//
// The documentation is generated from it. It comes from the provider server
// itself and not from a Terraform, so that it is the same whichever CLI is
// installed, or none, and has what older CLIs do not know (identities, actions,
// list resources).
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider"
)

// address is where the documentation generator looks for a provider of this
// name, whatever its real namespace is.
const address = "registry.terraform.io/hashicorp/switchback"

func main() {
	log.SetFlags(0)
	document, err := load(context.Background())
	if err != nil {
		log.Fatalln("schemajson:", err)
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(document); err != nil {
		log.Fatalln("schemajson:", err)
	}
}

// load asks the provider server for everything that is documented.
func load(ctx context.Context) (*document, error) {
	server, err := provider.New("dev")
	if err != nil {
		return nil, err
	}
	schemas, err := server.GetProviderSchema(ctx, &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		return nil, err
	}
	identities, err := server.GetResourceIdentitySchemas(ctx, &tfprotov6.GetResourceIdentitySchemasRequest{})
	if err != nil {
		return nil, err
	}
	if err := failure(append(schemas.Diagnostics, identities.Diagnostics...)); err != nil {
		return nil, err
	}
	if len(schemas.StateStoreSchemas) > 0 {
		return nil, errors.New("the provider has state stores, which are not written yet: add them here, or they would be missing from the documentation")
	}
	return &document{FormatVersion: "1.0", Providers: map[string]providerSchema{address: {
		Provider:           schemaOf(schemas.Provider),
		Resources:          each(schemas.ResourceSchemas, schemaOf),
		DataSources:        each(schemas.DataSourceSchemas, schemaOf),
		EphemeralResources: each(schemas.EphemeralResourceSchemas, schemaOf),
		ListResources:      each(schemas.ListResourceSchemas, schemaOf),
		Actions:            each(schemas.ActionSchemas, actionOf),
		Identities:         each(identities.IdentitySchemas, identityOf),
		Functions:          each(schemas.Functions, functionOf),
	}}}, nil
}

func failure(diagnostics []*tfprotov6.Diagnostic) error {
	var errs []error
	for _, d := range diagnostics {
		if d.Severity == tfprotov6.DiagnosticSeverityError {
			errs = append(errs, fmt.Errorf("%s: %s", d.Summary, d.Detail))
		}
	}
	return errors.Join(errs...)
}
