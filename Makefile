# Halley. The two that matter: make run, make test. make help tells the others.

SHELL      := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
VERSION    := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LISTEN     ?= 127.0.0.1:8080
GOTEST     := go test -shuffle=on
# Packages of the black boxes are run by targets of their own.
UNIT       = $$(go list ./... | grep -v /test/)

.PHONY: build help run test race conversations e2e interop record kill lint fmt web sample-zip clean chromium soak-test fuzz bench-bayeux bench-gms bench-sqlite

build: web
	@mkdir -p bin
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o bin/halley ./cmd/halley

# What CONTRIBUTING.md says of the targets.
help:
	@sed -nE 's/^\| `(make [a-z0-9-]+)` \| (.*) \|$$/\1|\2/p' CONTRIBUTING.md | sed -E 's/\[([^]]*)\]\([^)]*\)/\1/g; s/`//g' | \
	  awk -F'|' '{printf "%-20s %s\n", $$1, $$2}'

run: build
	bin/halley serve --demo --listen $(LISTEN)

# Everything that must hold. It installs what it needs.
test: lint race conversations build web-test interop record kill e2e
	@echo "everything passed"

race:
	$(GOTEST) -race -timeout 20m $(UNIT)

# Frames as text, for every operation, error and client that is known.
conversations:
	$(GOTEST) -count=1 -parallel 8 ./test/schema ./test/conversations

# The web parts. npm ci only where the lock has changed since.
STAMPS := web/node_modules/.halley web/sample/node_modules/.halley web/e2e/node_modules/.halley test/cometd/node_modules/.halley test/bayeuxjs/node_modules/.halley

%/node_modules/.halley: %/package.json %/package-lock.json
	cd $* && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

web: web/node_modules/.halley web/sample/node_modules/.halley
	cd web && npm run --silent build

.PHONY: web-test
web-test: web/node_modules/.halley
	cd web && npm run --silent lint && npm test --silent

sample-zip: web/sample/node_modules/.halley
	cd web && node pack-sample.mjs --zip

# The official CometD clients and Faye's under Node: against the demo, and
# against the library's example.
interop: build test/cometd/node_modules/.halley test/bayeuxjs/node_modules/.halley
	test/with-demo.sh bash -c 'cd test/cometd && npm test --silent'
	go build -o bin/bayeux-echo ./bayeux/examples/echo
	cd test/bayeuxjs && BAYEUX_BIN=$(CURDIR)/bin/bayeux-echo npm test --silent

# Records the Node clients, a browser, a poller and two that share files in front
# of a demo, and plays them to another one.
record: build chromium test/cometd/node_modules/.halley web/e2e/node_modules/.halley
	HALLEY_RECORD=1 HALLEY_BIN=$(CURDIR)/bin/halley $(GOTEST) -count=1 -v ./test/record

# Kills the server under load and compares what was acknowledged.
kill: build
	HALLEY_BIN=$(CURDIR)/bin/halley $(GOTEST) -count=1 -v $$(go list ./test/... | grep -v -e /test/record -e /test/conversations -e /test/schema)

# Browsers. E2E_PICTURE=1 makes the picture of the README anew.
e2e: build chromium web/e2e/node_modules/.halley web/sample/node_modules/.halley
	cd web/e2e && HALLEY_BIN=$(CURDIR)/bin/halley npm test --silent

chromium:
	@test/chromium.sh

# Every suite of make test N times; SUITES="internal/gms web/e2e" for some of them.
N ?= 30
soak-test: build chromium $(STAMPS)
	go build -o bin/bayeux-echo ./bayeux/examples/echo
	go run ./test/soak -n $(N) $(SUITES)

lint:
	go vet ./...
	cd tools && go build -o ../bin/ honnef.co/go/tools/cmd/staticcheck mvdan.cc/gofumpt
	@unformatted=$$(bin/gofumpt -l bayeux cmd internal test web/*.go); \
	  if [ -n "$$unformatted" ]; then echo "not formatted, run make fmt:"; echo "$$unformatted"; exit 1; fi
	bin/staticcheck ./...

fmt:
	cd tools && go build -o ../bin/ mvdan.cc/gofumpt
	bin/gofumpt -w bayeux cmd internal test web/*.go

# Longer than a test run wants to be.
fuzz:
	go test -fuzz FuzzDecode -fuzztime 60s ./bayeux
	go test -fuzz FuzzChannel -fuzztime 30s ./bayeux
	go test -run '^$$' -fuzz FuzzREST -fuzztime 60s -fuzzminimizetime 10x ./internal/gms
	go test -run '^$$' -fuzz FuzzCometD -fuzztime 60s -fuzzminimizetime 10x ./internal/gms
	go test -run '^$$' -fuzz FuzzFiles -fuzztime 30s -fuzzminimizetime 10x ./internal/gms
	go test -fuzz FuzzBatch -fuzztime 30s -fuzzminimizetime 10x ./bayeux
	go test -run '^$$' -fuzz FuzzParse -fuzztime 30s -fuzzminimizetime 10x ./internal/config

# The Bayeux server beside others, in one run; FULL=-full takes half an hour.
bench-bayeux:
	bayeux/bench/run.sh $(FULL) bin/bench-bayeux.md

# sendMessage and refresh with many live chats; FLAGS="-chats 1000 -for 5s" for less.
bench-gms:
	test/bench/run.sh $(FLAGS)

# Floods beside a chat that goes on, in about three minutes; FLAGS="-only pages"
# plays some of them, -scale 30 smaller ones.
.PHONY: flood
flood: web
	@mkdir -p bin
	go build -o bin/flood ./test/flood
	bin/flood $(FLAGS)

bench-sqlite:
	go test -run '^$$' -bench . -benchtime 1x -timeout 30m ./internal/sqlite

# The Debian package, for DEB_ARCH (that of this machine by default) and with a
# version that begins with a digit, as Debian wants it.
DEB_ARCH    ?= $(shell go env GOARCH)
DEB_VERSION = $(shell sed -E 's/^v([0-9])/\1/; /^[0-9]+\./!s/^/0~/; s/-/+/g' <<<'$(VERSION)')

.PHONY: deb
deb: web
	@mkdir -p bin/deb
	CGO_ENABLED=0 GOARCH=$(DEB_ARCH) go build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o bin/deb/halley ./cmd/halley
	cd tools && go build -o ../bin/ github.com/goreleaser/nfpm/v2/cmd/nfpm
	DEB_ARCH=$(DEB_ARCH) DEB_VERSION=$(DEB_VERSION) bin/nfpm package --config deploy/nfpm.yaml --packager deb --target bin/deb/
	deploy/check-deb.sh bin/deb/halley_$(DEB_VERSION)_$(DEB_ARCH).deb

clean:
	rm -rf bin web/desk/dist
