// Package web holds the pages that Halley serves: the agents' desk and the
// sample page of a visitor. Their built files are embedded when they are there
// at compile time; the package compiles without them too, and then serves a
// page that says how to build them.
package web

import (
	"embed"
	"io/fs"
	"net/http"
)

// The patterns with a star match a committed text file even when nothing is
// built, so that compiling needs no npm. "all:" takes in file names that begin
// with an underscore, which bundlers make.
var (
	//go:embed all:desk/dist*
	deskFiles embed.FS

	//go:embed sample/index.html sample/*.js sample/*.css
	sampleFiles embed.FS

	//go:embed all:sample-vendor*
	vendorFiles embed.FS
)

// deskPolicy allows the desk its own files and nothing else. The blob worker
// is the CometD client's timer, which background tabs do not slow down.
const deskPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
	"font-src 'self'; connect-src 'self'; worker-src 'self' blob:; manifest-src 'self'; " +
	"base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// samplePolicy allows what the sample page is made of: Vue compiles templates
// in the page, Metro 4 writes style attributes, and the visitor chooses the
// server to connect to.
const samplePolicy = "default-src 'none'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; " +
	"img-src 'self' data:; font-src 'self' data:; connect-src http: https: ws: wss:; worker-src 'self' blob:; " +
	"base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// Desk returns a handler that serves the agents' desk. Mount it at /desk/ with
// [http.StripPrefix]. A path that names no file gives the desk's page, except
// below assets/, where a missing file is a missing file. It answers GET and
// HEAD only and is safe for concurrent use.
func Desk() http.Handler {
	files, err := fs.Sub(deskFiles, "desk/dist")
	if err != nil {
		panic(err) // The path is a constant, and a valid one.
	}
	return site{
		name:      "desk",
		files:     files,
		policy:    deskPolicy,
		immutable: "assets/",
		onePage:   true,
	}.handler()
}

// Sample returns a handler that serves the visitor's sample page and what it
// loads. Mount it at /sample/ with [http.StripPrefix]. It answers GET and HEAD
// only and is safe for concurrent use.
func Sample() http.Handler {
	own, err := fs.Sub(sampleFiles, "sample")
	if err != nil {
		panic(err) // The path is a constant, and a valid one.
	}
	vendor, err := fs.Sub(vendorFiles, "sample-vendor")
	if err != nil {
		panic(err) // The path is a constant, and a valid one.
	}
	return site{
		name:   "sample",
		files:  layered{own, vendor},
		needs:  []string{"node_modules"},
		policy: samplePolicy,
	}.handler()
}

// layered is several file systems in one; the first that has a file gives it.
type layered []fs.FS

// Open implements [fs.FS].
func (l layered) Open(name string) (fs.File, error) {
	err := error(&fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist})
	for _, files := range l {
		var file fs.File
		if file, err = files.Open(name); err == nil {
			return file, nil
		}
	}
	return nil, err
}
