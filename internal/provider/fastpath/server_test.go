package fastpath_test

import (
	"reflect"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/deployment"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/deploymentgroup"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/fastpath"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/maindeployment"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/plantest"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
)

// resources are all that have fast paths.
var resources = []func() resource.Resource{deployment.NewResource, maindeployment.NewResource, deploymentgroup.NewResource}

// fastServer is a server with fast paths, and slowServer the framework's.
func fastServer(t *testing.T, run *session.Session) tfprotov6.ProviderServer {
	t.Helper()
	server, err := fastpath.New(t.Context(), plantest.Provider(run, resources...))
	if err != nil {
		t.Fatal(err)
	}
	return server
}

func slowServer(t *testing.T, run *session.Session) tfprotov6.ProviderServer {
	t.Helper()
	server, err := providerserver.NewProtocol6WithError(plantest.Provider(run, resources...))()
	if err != nil {
		t.Fatal(err)
	}
	return server
}

// TestNothingOfTheProtocolIsLost: whatever the framework's server can be asked for,
// the fast one can be asked for, too. The newest parts of the protocol are in
// interfaces of their own, which whoever serves it looks for.
func TestNothingOfTheProtocolIsLost(t *testing.T) {
	t.Parallel()
	run := plantest.ClustersNamed("prod")
	fast, slow := reflect.TypeOf(fastServer(t, run)), reflect.TypeOf(slowServer(t, run))
	if fast == slow {
		t.Fatal("the fast server is the framework's")
	}
	for i := range slow.NumMethod() {
		want := slow.Method(i)
		got, ok := fast.MethodByName(want.Name)
		if !ok {
			t.Errorf("%s is lost", want.Name)
			continue
		}
		for arg := 1; ok && arg < want.Type.NumIn(); arg++ {
			ok = got.Type.NumIn() == want.Type.NumIn() && got.Type.In(arg) == want.Type.In(arg)
		}
		if !ok {
			t.Errorf("%s is %s, want %s", want.Name, got.Type, want.Type)
		}
	}
}

// TestFastPathCanBeSwitchedOff: what is served then is the framework's server itself.
func TestFastPathCanBeSwitchedOff(t *testing.T) {
	run := plantest.ClustersNamed("prod")
	t.Setenv(fastpath.Variable, "off")
	if fast, slow := reflect.TypeOf(fastServer(t, run)), reflect.TypeOf(slowServer(t, run)); fast != slow {
		t.Errorf("%s is served, not %s", fast, slow)
	}
}
