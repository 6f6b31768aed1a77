package house

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const module = "github.com/halley-chat/halley/"

// root is the repository, as seen from this package.
const root = "../.."

// pkg is what the go command says about a package.
type pkg struct {
	ImportPath   string
	Dir          string
	GoFiles      []string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

// short is the package's path within the repository.
func (p pkg) short() string { return strings.TrimPrefix(p.ImportPath, module) }

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Dir,GoFiles,Imports,TestImports,XTestImports", "./...")
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var list []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
	if len(list) < 10 {
		t.Fatalf("only %d packages were found", len(list))
	}
	return list
}

// The kinds of packages, by path; see docs/architecture.md.
var (
	edges    = []string{"internal/gms", "internal/desk"}
	middle   = []string{"internal/routing", "internal/staff", "internal/media"}
	adapters = []string{"internal/sqlite"}
)

// allowed says which packages of ours a package may import, besides those
// below itself. A package that is not listed may import none of ours.
func allowed() map[string][]string {
	const chat, engine, wake = "internal/chat", "internal/engine", "internal/wake"
	rules := map[string][]string{
		chat:             {},
		engine:           {chat, wake},
		wake:             {},
		"internal/staff": {chat, "internal/audit", "internal/ratelimit"},
		"internal/routing": {
			chat, engine, wake, "internal/staff",
		},
		"internal/audit":             {chat},
		"internal/backup":            {"internal/sqlite"},
		"internal/audit/audittest":   {"internal/audit"},
		"internal/media":             {chat},
		"internal/engine/enginetest": {chat, engine},
		"internal/media/mediatest":   {chat, "internal/media"},
		"internal/staff/stafftest":   {chat, "internal/staff"},
		"internal/push":              {chat, engine, wake},
		"internal/push/pushtest":     {chat, "internal/push"},
		"internal/config":            {},
		"internal/httpx":             {},
		"internal/ratelimit":         {},
		"internal/admin":             {},
		"internal/house":             {},
		"internal/echo":              {"bayeux/client"},
		"internal/tape":              {},
		"internal/record":            {"internal/tape"},
		"internal/replay":            {"internal/tape"},
		"bayeux":                     {},
		"bayeux/client":              {},
		"bayeux/bayeuxtest":          {"bayeux"},
		"web":                        {},
		"cmd/halley":                 {"internal/app", "internal/audit", "internal/backup", "internal/chat", "internal/config", "internal/sqlite", "internal/echo", "internal/staff", "internal/push", "internal/record", "internal/replay"},
		"internal/app":               {"*"},
	}
	for _, e := range edges {
		rules[e] = append([]string{chat, engine, wake, "bayeux", "internal/httpx", "internal/ratelimit", "internal/audit"}, middle...)
	}
	for _, a := range adapters {
		// An adapter knows the ports that it implements.
		rules[a] = append([]string{chat, engine, "internal/push", "internal/audit"}, middle...)
	}
	return rules
}

func TestWhoImportsWhom(t *testing.T) {
	rules := allowed()
	for _, p := range packages(t) {
		name := p.short()
		if strings.HasPrefix(name, "test/") {
			continue // black boxes and their tools may look at anything
		}
		may, known := rules[name]
		if strings.HasPrefix(name, "bayeux/examples/") || strings.HasPrefix(name+"/", "bayeux/bench/") {
			may, known = []string{"bayeux", "bayeux/client"}, true // as anybody who uses the library
		}
		if !known {
			t.Errorf("%s is not in the table of who may import whom", name)
			continue
		}
		for _, i := range p.Imports {
			imported, ours := strings.CutPrefix(i, module)
			if !ours {
				continue
			}
			ok := false
			for _, m := range may {
				ok = ok || m == "*" || m == imported
			}
			if !ok {
				t.Errorf("%s imports %s", name, imported)
			}
			if imported == "internal/app" && name != "cmd/halley" {
				t.Errorf("%s imports internal/app, which nobody but the command does", name)
			}
		}
	}
}

// The library and the domain are lean on purpose: what each may import from
// outside of the standard library.
func TestOutsideDependencies(t *testing.T) {
	outside := map[string][]string{
		"bayeux":          {"github.com/gobwas/ws", "github.com/go-json-experiment/json/"},
		"bayeux/client":   {"github.com/gobwas/ws", "github.com/go-json-experiment/json"},
		"internal/chat":   {},
		"internal/engine": {},
	}
	for _, p := range packages(t) {
		may, listed := outside[p.short()]
		if !listed {
			continue
		}
		for _, i := range p.Imports {
			if strings.HasPrefix(i, module) || !strings.Contains(strings.SplitN(i, "/", 2)[0], ".") {
				continue
			}
			ok := false
			for _, prefix := range may {
				ok = ok || i == prefix || strings.HasPrefix(i, strings.TrimSuffix(prefix, "/")+"/")
			}
			if !ok {
				t.Errorf("%s imports %s", p.short(), i)
			}
		}
	}
}

// Only one file knows the server's WebSocket library's frames.
func TestOneFileReadsFrames(t *testing.T) {
	for path, f := range sources(t, filepath.Join(root, "bayeux"), false) {
		if filepath.Base(path) == "websocket.go" {
			continue
		}
		ast.Inspect(f, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := s.X.(*ast.Ident); ok && x.Name == "ws" && s.Sel.Name != "StatusCode" {
				t.Errorf("%s uses ws.%s", path, s.Sel.Name)
			}
			return true
		})
	}
}

// sources parses the Go files of a directory, without tests.
func sources(t *testing.T, dir string, comments bool) map[string]*ast.File {
	t.Helper()
	mode := parser.SkipObjectResolution
	if comments {
		mode |= parser.ParseComments
	}
	files := make(map[string]*ast.File)
	list, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range list {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, mode)
		if err != nil {
			t.Fatal(err)
		}
		files[path] = f
	}
	return files
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	for _, p := range packages(t) {
		if len(p.GoFiles) == 0 {
			continue // tests only
		}
		said := 0
		for _, f := range sources(t, p.Dir, true) {
			if f.Doc != nil {
				said++
			}
		}
		if said != 1 {
			t.Errorf("%s has %d package comments, want 1", p.short(), said)
		}
	}
}

// Everything exported has a comment.
func TestEverythingExportedIsExplained(t *testing.T) {
	for _, p := range packages(t) {
		for path, f := range sources(t, p.Dir, true) {
			for _, d := range f.Decls {
				switch d := d.(type) {
				case *ast.FuncDecl:
					if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) {
						t.Errorf("%s: %s has no comment", path, d.Name.Name)
					}
				case *ast.GenDecl:
					for _, s := range d.Specs {
						if ts, ok := s.(*ast.TypeSpec); ok && ts.Name.IsExported() && d.Doc == nil && ts.Doc == nil {
							t.Errorf("%s: type %s has no comment", path, ts.Name.Name)
						}
					}
				}
			}
		}
	}
}

// exportedReceiver says whether a function is one or a method of an exported
// type.
func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	t := d.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return false
		}
	}
}

// maxLines is how long a file written by hand may be.
const maxLines = 600

func TestFilesAreShortEnoughToRead(t *testing.T) {
	seen := 0
	for _, path := range tracked(t) {
		switch filepath.Ext(path) {
		case ".go", ".ts", ".vue", ".css", ".js", ".mjs":
		default:
			continue
		}
		b, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		seen++
		if n := bytes.Count(b, []byte("\n")); n > maxLines {
			t.Errorf("%s has %d lines", path, n)
		}
	}
	if seen == 0 {
		t.Error("no files were looked at")
	}
}

// tracked are the files that git knows or would add.
func tracked(t *testing.T) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", "ls-files", "--cached", "--others", "--exclude-standard")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	var list []string
	for _, path := range strings.Fields(string(out)) {
		if _, err := os.Stat(filepath.Join(root, path)); err == nil {
			list = append(list, path)
		}
	}
	return list
}

func TestGoModIsPlain(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		switch word, _, _ := strings.Cut(strings.TrimSpace(line), " "); word {
		case "replace", "exclude", "toolchain":
			t.Errorf("go.mod: %s", strings.TrimSpace(line))
		}
	}
}

// Lock files name no registry, and nothing in the tree was built.
func TestTheTreeIsClean(t *testing.T) {
	for _, path := range tracked(t) {
		if strings.Contains(path, "node_modules/") || strings.Contains(path, "/dist/") {
			t.Errorf("%s is built or somebody else's", path)
		}
		if filepath.Base(path) != "package-lock.json" {
			continue
		}
		b, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte(`"resolved": "http`)) {
			t.Errorf("%s names where packages were loaded from", path)
		}
	}
}
