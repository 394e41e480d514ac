package attrs

import (
	"github.com/hashicorp/terraform-plugin-framework/path"
)

// DNSPath is where `dns` of a main deployment is.
var DNSPath = path.Root("dns")

// ServicePath is where the Service of an address is.
var ServicePath = path.Root("traffic").AtName("service")
