package rollout_test

import (
	"os"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

func TestMain(m *testing.M) { os.Exit(testcluster.Run(m)) }
