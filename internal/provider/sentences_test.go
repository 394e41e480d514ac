package provider

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestErrorsAreToldAsSentences: no diagnostic is made of what an error says as it
// is.
func TestErrorsAreToldAsSentences(t *testing.T) {
	t.Parallel()
	var files []string
	for _, pattern := range []string{"*.go", "*/*.go"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	told := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || !slices.Contains([]string{"AddError", "AddAttributeError", "AddWarning", "AddAttributeWarning"}, called(call)) {
				return true
			}
			told++
			for _, arg := range call.Args {
				ast.Inspect(arg, func(n ast.Node) bool {
					inner, ok := n.(*ast.CallExpr)
					if !ok {
						if name, ok := n.(*ast.Ident); ok && name.Name == "err" {
							t.Errorf("%s: an error is told as it is", set.Position(name.Pos()))
						}
						return true
					}
					return called(inner) != "Sentence"
				})
			}
			return true
		})
	}
	if told < 50 {
		t.Errorf("only %d diagnostics were found", told)
	}
}

// called is the name of what is called.
func called(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}
