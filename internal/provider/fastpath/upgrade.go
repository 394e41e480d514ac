package fastpath

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// UpgradeResourceState answers with the JSON that came in where it has exactly
// today's attributes. Core reads that as it reads MsgPack. What an earlier version
// has left out, or had besides, is the framework's to fill in or to drop.
func (s *server) UpgradeResourceState(ctx context.Context, req *tfprotov6.UpgradeResourceStateRequest) (*tfprotov6.UpgradeResourceStateResponse, error) {
	t := s.types[req.TypeName]
	if t == nil || req.RawState == nil || len(req.RawState.JSON) == 0 || req.Version != t.schema().Version || !t.plain() || !conforms(req.RawState.JSON, t.form()) {
		return s.framework.UpgradeResourceState(ctx, req)
	}
	return &tfprotov6.UpgradeResourceStateResponse{UpgradedState: &tfprotov6.DynamicValue{JSON: req.RawState.JSON}}, nil
}

// conforms says that JSON is a value of a type to the letter: nothing is missing,
// nothing is too much, and nothing need be converted.
func conforms(text []byte, typ tftypes.Type) bool {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	token, err := dec.Token()
	if err != nil || token == nil || !follows(dec, token, typ) {
		return false
	}
	_, err = dec.Token()
	return err != nil // there is nothing more
}

// follows says that what begins with a token is a value of a type.
func follows(dec *json.Decoder, token json.Token, typ tftypes.Type) bool {
	switch token := token.(type) {
	case nil:
		return true
	case string:
		return typ.Is(tftypes.String)
	case bool:
		return typ.Is(tftypes.Bool)
	case json.Number:
		return typ.Is(tftypes.Number)
	case json.Delim:
		switch typ := typ.(type) {
		case tftypes.Object:
			return token == '{' && objectFollows(dec, typ)
		case tftypes.Map:
			return token == '{' && mapFollows(dec, typ)
		case tftypes.List:
			return token == '[' && listFollows(dec, typ.ElementType)
		case tftypes.Set:
			return token == '[' && listFollows(dec, typ.ElementType)
		}
	}
	return false
}

func objectFollows(dec *json.Decoder, typ tftypes.Object) bool {
	seen := map[string]bool{}
	for dec.More() {
		name, err := dec.Token()
		text, _ := name.(string)
		of, known := typ.AttributeTypes[text]
		if err != nil || !known || seen[text] || !valueFollows(dec, of) {
			return false
		}
		seen[text] = true
	}
	_, err := dec.Token()
	return err == nil && len(seen) == len(typ.AttributeTypes)
}

func mapFollows(dec *json.Decoder, typ tftypes.Map) bool {
	for dec.More() {
		if _, err := dec.Token(); err != nil || !valueFollows(dec, typ.ElementType) {
			return false
		}
	}
	_, err := dec.Token()
	return err == nil
}

func listFollows(dec *json.Decoder, element tftypes.Type) bool {
	for dec.More() {
		if !valueFollows(dec, element) {
			return false
		}
	}
	_, err := dec.Token()
	return err == nil
}

func valueFollows(dec *json.Decoder, typ tftypes.Type) bool {
	token, err := dec.Token()
	return err == nil && follows(dec, token, typ)
}
