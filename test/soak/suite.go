package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// module is what the import paths of this repository begin with.
const module = "github.com/halley-chat/halley/"

// command is what one run of a suite executes.
type command struct {
	dir  string
	args []string
	env  []string // besides the environment of this process
}

// cmd ends with ctx, and everything that it has started ends with it.
func (c command) cmd(ctx context.Context) *exec.Cmd {
	cmd := exec.CommandContext(ctx, c.args[0], c.args[1:]...)
	cmd.Dir, cmd.Env = c.dir, append(os.Environ(), c.env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	return cmd
}

// suite is a part of make test that can be run by itself.
type suite struct {
	name string
	// prepare builds what every run needs, once, into a directory.
	prepare func(ctx context.Context, out string) (command, error)
}

// suites are those of make test, in the order of its targets.
func suites(ctx context.Context) ([]suite, error) {
	top, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	bin := "HALLEY_BIN=" + filepath.Join(top, "bin", "halley")
	packages, err := tested(ctx)
	if err != nil {
		return nil, err
	}
	var units, boxes []suite
	for _, p := range packages {
		name := strings.TrimPrefix(p.ImportPath, module)
		switch {
		case !strings.HasPrefix(name, "test/"):
			units = append(units, binary(name, p, []string{"-race"}))
		case name == "test/schema", name == "test/conversations":
			units = append(units, binary(name, p, nil, "-test.parallel=8"))
		case name == "test/record":
			boxes = append(boxes, binary(name, p, nil).with("HALLEY_RECORD=1", bin))
		default:
			boxes = append(boxes, binary(name, p, nil).with(bin))
		}
	}
	node := []suite{
		program("web/desk", filepath.Join(top, "web"), "npm", "test", "--silent"),
		program("test/cometd", top, "test/with-demo.sh", "npm", "test", "--silent", "--prefix", "test/cometd"),
		program("test/bayeuxjs", filepath.Join(top, "test", "bayeuxjs"), "npm", "test", "--silent").
			with("BAYEUX_BIN=" + filepath.Join(top, "bin", "bayeux-echo")),
	}
	browsers := program("web/e2e", filepath.Join(top, "web", "e2e"), "npm", "test", "--silent").with(bin)
	return append(append(append(units, node...), boxes...), browsers), nil
}

// with adds to the environment of every run.
func (s suite) with(env ...string) suite {
	prepare := s.prepare
	s.prepare = func(ctx context.Context, out string) (command, error) {
		c, err := prepare(ctx, out)
		c.env = append(c.env, env...)
		return c, err
	}
	return s
}

// program is a suite that is run as it is.
func program(name, dir string, args ...string) suite {
	return suite{name, func(context.Context, string) (command, error) {
		return command{dir: dir, args: args}, nil
	}}
}

// binary is a Go package, whose test binary is built once. Every run shuffles
// its tests anew and prints the seed.
func binary(name string, p pkg, build []string, flags ...string) suite {
	return suite{name, func(ctx context.Context, out string) (command, error) {
		file := filepath.Join(out, fileName(name)+".test")
		args := append([]string{"test", "-c", "-o", file}, append(build, p.ImportPath)...)
		if text, err := exec.CommandContext(ctx, "go", args...).CombinedOutput(); err != nil {
			return command{}, fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, text)
		}
		run := append([]string{file, "-test.shuffle=on", "-test.timeout=20m", "-test.v"}, flags...)
		return command{dir: p.Dir, args: run}, nil
	}}
}

// fileName is a suite's name as part of the name of a file.
func fileName(suite string) string { return strings.ReplaceAll(suite, "/", "-") }

// pkg is what the go command says about a package.
type pkg struct {
	ImportPath, Dir           string
	TestGoFiles, XTestGoFiles []string
}

// tested are the packages that have tests.
func tested(ctx context.Context) ([]pkg, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-json=ImportPath,Dir,TestGoFiles,XTestGoFiles", "./...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, stderr.String())
	}
	var list []pkg
	for dec := json.NewDecoder(bytes.NewReader(text)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return list, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		if len(p.TestGoFiles)+len(p.XTestGoFiles) > 0 {
			list = append(list, p)
		}
	}
}
