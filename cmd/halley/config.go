package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/halley-chat/halley/internal/config"
)

type checkConfigCommand struct {
	File string `arg:"" optional:"" help:"Configuration file (TOML); standard input if it is left out or -." default:"-"`
}

func (c checkConfigCommand) Run() error { return checkConfig(c.File, os.Stdin, os.Stdout) }

// checkConfig reads a configuration as the server would, and says what is
// wrong with it. An error means that something is.
func checkConfig(file string, in io.Reader, out io.Writer) error {
	name := file
	var err error
	if file == "-" {
		name = "standard input"
		var body []byte
		if body, err = io.ReadAll(in); err == nil {
			_, err = config.Parse(body)
		}
		var faults *config.Faults
		if errors.As(err, &faults) {
			faults.File = "-"
		}
	} else {
		_, err = config.Load(file)
	}
	var faults *config.Faults
	switch {
	case errors.As(err, &faults):
		if _, err := fmt.Fprintln(out, faults); err != nil {
			return err
		}
		if n := len(faults.List); n > 1 {
			return fmt.Errorf("%s has %d faults", name, n)
		}
		return fmt.Errorf("%s has a fault", name)
	case err != nil:
		return err
	}
	_, err = fmt.Fprintf(out, "%s is in order\n", name)
	return err
}

type defaultConfigCommand struct{}

func (defaultConfigCommand) Run() error {
	_, err := fmt.Print(config.Document())
	return err
}
