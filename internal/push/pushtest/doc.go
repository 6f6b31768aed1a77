// Package pushtest has the suite that every adapter of [push.Store] must pass,
// and a store in memory.
package pushtest
