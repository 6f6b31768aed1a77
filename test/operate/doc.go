// Package operate runs every command of docs/operate.md against the real
// binary.
package operate
