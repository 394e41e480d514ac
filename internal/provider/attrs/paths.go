package attrs

import (
	"github.com/hashicorp/terraform-plugin-framework/path"
)

var DNSPath = path.Root("dns")

var ServicePath = path.Root("traffic").AtName("service")
