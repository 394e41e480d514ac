package fastpath

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"sync"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
)

// What is valid follows from the configuration alone, so that what was found valid
// once is valid for as long as the process lives.

// mostValid bounds what is remembered: 2 MB of it.
const mostValid = 1 << 14

// valid are the configurations that nothing was said of.
var valid = struct {
	sync.Mutex
	configs map[[sha256.Size]byte]struct{}
}{configs: map[[sha256.Size]byte]struct{}{}}

// ValidateResourceConfig asks of each configuration once: core does so in every
// walk, and again with values that have become known.
func (s *server) ValidateResourceConfig(ctx context.Context, req *tfprotov6.ValidateResourceConfigRequest) (*tfprotov6.ValidateResourceConfigResponse, error) {
	if s.types[req.TypeName] == nil || req.Config == nil || len(req.Config.MsgPack) == 0 {
		return s.framework.ValidateResourceConfig(ctx, req)
	}
	key := keyOf(req)
	valid.Lock()
	_, known := valid.configs[key]
	valid.Unlock()
	if known {
		return &tfprotov6.ValidateResourceConfigResponse{}, nil
	}
	resp, err := s.framework.ValidateResourceConfig(ctx, req)
	if err == nil && len(resp.Diagnostics) == 0 && ctx.Err() == nil {
		valid.Lock()
		defer valid.Unlock()
		if len(valid.configs) < mostValid {
			valid.configs[key] = struct{}{}
		}
	}
	return resp, err
}

func keyOf(req *tfprotov6.ValidateResourceConfigRequest) [sha256.Size]byte {
	h := sha256.New()
	h.Write(binary.AppendUvarint(nil, uint64(len(req.TypeName))))
	h.Write([]byte(req.TypeName))
	if c := req.ClientCapabilities; c != nil && c.WriteOnlyAttributesAllowed {
		h.Write([]byte{1})
	} else {
		h.Write([]byte{0})
	}
	h.Write(req.Config.MsgPack)
	return [sha256.Size]byte(h.Sum(nil))
}
