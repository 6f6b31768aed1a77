// Package enginetest holds what the ports of package engine are tested with:
// the suites that every adapter must pass ([LogSuite], [BusSuite]), and
// adapters in memory ([NewLog], [NewBus]) that pass them and can be told to
// fail, to lose an answer or to hold an append back.
//
// The adapters in memory use mutexes and channels made when they are needed,
// so they work inside a bubble of testing/synctest if they are made there.
package enginetest
