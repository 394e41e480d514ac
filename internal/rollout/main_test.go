package rollout_test

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// parallel is more than there are processors: these tests mostly wait for
// controllers, drains and retries. A -parallel of the command line still wins.
const parallel = "8"

func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", parallel); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(testcluster.Run(m))
}
