package coretest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// configuration is what main.tf says.
type configuration struct {
	provider  hcl.Body
	resources map[string]*resource // by address: type.name, data.type.name
	outputs   map[string]hcl.Expression
}

// resource is a resource or data block.
type resource struct {
	address, typ, name string
	data               bool
	body               hcl.Body // without what is core's own
	forEach            hcl.Expression
	createFirst        bool
	dependsOn          []string // as depends_on says
	needs              []string // all that it refers to
}

// functions are those that configurations may call.
var functions = map[string]function.Function{
	"join":  stdlib.JoinFunc,
	"range": stdlib.RangeFunc,
	"split": stdlib.SplitFunc,
	"toset": function.New(&function.Spec{
		Params: []function.Parameter{{Name: "v", Type: cty.DynamicPseudoType}},
		Type: func(args []cty.Value) (cty.Type, error) {
			set, err := convert.Convert(args[0], cty.Set(cty.DynamicPseudoType))
			return set.Type(), err
		},
		Impl: func(args []cty.Value, typ cty.Type) (cty.Value, error) { return convert.Convert(args[0], typ) },
	}),
}

var (
	topBlocks = &hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{
		{Type: "provider", LabelNames: []string{"name"}}, {Type: "resource", LabelNames: []string{"type", "name"}},
		{Type: "data", LabelNames: []string{"type", "name"}}, {Type: "output", LabelNames: []string{"name"}},
		{Type: "terraform"},
	}}
	// Which provider it is, the core knows.
	ofTerraform = &hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{{Type: "required_providers"}}}
	ofCore      = &hcl.BodySchema{
		Attributes: []hcl.AttributeSchema{{Name: "for_each"}, {Name: "depends_on"}, {Name: "count"}, {Name: "provider"}},
		Blocks:     []hcl.BlockHeaderSchema{{Type: "lifecycle"}, {Type: "provisioner"}, {Type: "connection"}, {Type: "dynamic", LabelNames: []string{"for"}}},
	}
	ofLifecycle = &hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "create_before_destroy"}}}
	ofOutput    = &hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "value", Required: true}}}
)

// readConfiguration parses the directory's main.tf, which must be all there is.
func readConfiguration(dir string) (*configuration, hcl.Diagnostics, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.tf*"))
	if err != nil {
		return nil, nil, err
	}
	for _, file := range files {
		if name := filepath.Base(file); name != "main.tf" && name != "terraform.tfstate" && name != "terraform.tfstate.backup" {
			return nil, nil, unsupported("the file %s", name)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "main.tf"))
	if err != nil {
		return nil, nil, err
	}
	file, diags := hclsyntax.ParseConfig(text, "main.tf", hcl.InitialPos)
	if diags.HasErrors() {
		return nil, diags, nil
	}
	c := &configuration{provider: hcl.EmptyBody(), resources: map[string]*resource{}, outputs: map[string]hcl.Expression{}}
	if err := checkCalls(file); err != nil {
		return nil, nil, err
	}
	content, diags := file.Body.Content(topBlocks)
	if diags.HasErrors() {
		return nil, nil, unsupported("%s", diags[0].Detail)
	}
	for _, block := range content.Blocks {
		switch block.Type {
		case "provider":
			c.provider = block.Body
		case "terraform":
			if _, diags := block.Body.Content(ofTerraform); diags.HasErrors() {
				return nil, nil, unsupported("in terraform: %s", diags[0].Detail)
			}
		case "output":
			output, diags := block.Body.Content(ofOutput)
			if diags.HasErrors() {
				return nil, nil, unsupported("in output %q: %s", block.Labels[0], diags[0].Detail)
			}
			c.outputs[block.Labels[0]] = output.Attributes["value"].Expr
		default:
			r, err := newResource(block)
			if err != nil {
				return nil, nil, err
			}
			c.resources[r.address] = r
		}
	}
	err = c.refer()
	return c, nil, err
}

// checkCalls refuses functions that are not known here.
func checkCalls(file *hcl.File) error {
	var err error
	_ = hclsyntax.VisitAll(file.Body.(*hclsyntax.Body), func(node hclsyntax.Node) hcl.Diagnostics {
		if call, is := node.(*hclsyntax.FunctionCallExpr); is {
			if _, known := functions[call.Name]; !known {
				err = unsupported("the function %s", call.Name)
			}
		}
		return nil
	})
	return err
}

func newResource(block *hcl.Block) (*resource, error) {
	r := &resource{typ: block.Labels[0], name: block.Labels[1], data: block.Type == "data"}
	r.address = r.typ + "." + r.name
	if r.data {
		r.address = "data." + r.address
	}
	own, rest, diags := block.Body.PartialContent(ofCore)
	if diags.HasErrors() {
		return nil, unsupported("in %s: %s", r.address, diags[0].Detail)
	}
	r.body = rest
	for name, attribute := range own.Attributes {
		switch name {
		case "for_each":
			r.forEach = attribute.Expr
		case "depends_on":
			list, diags := hcl.ExprList(attribute.Expr)
			if diags.HasErrors() {
				return nil, diags
			}
			for _, expr := range list {
				traversal, diags := hcl.AbsTraversalForExpr(expr)
				if diags.HasErrors() {
					return nil, diags
				}
				on, err := resourceOf(traversal)
				if err != nil {
					return nil, err
				}
				r.dependsOn = append(r.dependsOn, on)
			}
		default:
			return nil, unsupported("%s in %s", name, r.address)
		}
	}
	for _, inner := range own.Blocks {
		if inner.Type != "lifecycle" || r.data {
			return nil, unsupported("%s in %s", inner.Type, r.address)
		}
		lifecycle, diags := inner.Body.Content(ofLifecycle)
		if diags.HasErrors() {
			return nil, unsupported("in the lifecycle of %s: %s", r.address, diags[0].Detail)
		}
		if first := lifecycle.Attributes["create_before_destroy"]; first != nil {
			v, diags := first.Expr.Value(nil)
			if diags.HasErrors() {
				return nil, diags
			}
			r.createFirst = v.True()
		}
	}
	return r, nil
}

// refer finds what refers to what.
func (c *configuration) refer() error {
	for _, r := range c.resources {
		r.needs = slices.Clone(r.dependsOn)
		from, err := references(r.body)
		if err != nil {
			return fmt.Errorf("%s: %w", r.address, err)
		}
		if r.forEach != nil {
			more, err := referencesOf(r.forEach.Variables())
			if err != nil {
				return fmt.Errorf("%s: %w", r.address, err)
			}
			from = append(from, more...)
		}
		r.needs = append(r.needs, from...)
		slices.Sort(r.needs)
		r.needs = slices.Compact(r.needs)
		for _, address := range r.needs {
			if c.resources[address] == nil {
				return unsupported("%s, which %s refers to,", address, r.address)
			}
		}
	}
	// What is created first forces that on all that it needs.
	for again := true; again; {
		again = false
		for _, r := range c.resources {
			for _, address := range r.needs {
				if on := c.resources[address]; r.createFirst && !on.createFirst {
					on.createFirst, again = true, true
				}
			}
		}
	}
	return nil
}

func references(body hcl.Body) ([]string, error) {
	attributes, _ := body.JustAttributes() // a block that nobody knows is told when the body is decoded
	var found []string
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		more, err := referencesOf(attributes[name].Expr.Variables())
		if err != nil {
			return nil, err
		}
		found = append(found, more...)
	}
	return found, nil
}

func referencesOf(traversals []hcl.Traversal) ([]string, error) {
	var found []string
	for _, t := range traversals {
		if t.RootName() == "each" {
			continue
		}
		address, err := resourceOf(t)
		if err != nil {
			return nil, err
		}
		found = append(found, address)
	}
	return found, nil
}

// resourceOf is the address of the resource that a traversal begins with.
func resourceOf(t hcl.Traversal) (string, error) {
	address, parts := t.RootName(), 1
	if address == "data" {
		parts = 2
	}
	for i := 1; i <= parts; i++ {
		if i >= len(t) {
			return "", unsupported("a reference to %s as a whole", address)
		}
		step, is := t[i].(hcl.TraverseAttr)
		if !is {
			return "", unsupported("a reference to %s by an index", address)
		}
		address += "." + step.Name
	}
	switch t.RootName() {
	case "var", "local", "module", "path", "terraform", "count", "self":
		return "", unsupported("%s", address)
	}
	return address, nil
}

// closure is everything that a resource needs, also by way of others.
func (c *configuration) closure(address string) []string {
	seen := map[string]bool{}
	var visit func(string)
	visit = func(at string) {
		for _, next := range c.resources[at].needs {
			if !seen[next] {
				seen[next] = true
				visit(next)
			}
		}
	}
	visit(address)
	return slices.Sorted(maps.Keys(seen))
}
