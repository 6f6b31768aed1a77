// Package sqlite keeps Halley's logs and accounts in one SQLite database in
// one data directory: it implements [engine.Log] and [staff.Store].
//
// # Layout
//
// Live records stand in two tables, log0 and log1, in the order of their
// arrival and without an index by log: an append touches the right edge of one
// tree and nothing else. Which rows belong to which log is kept in memory
// (position.go) and found again by one scan when the database is opened.
//
// A chat that has ended, and the tail of a log that has grown long, is packed:
// written once more as a compressed row of the table chunk, where it can be
// found by its key (pack.go). When one of the two log tables is full, whatever
// in the other one is not packed yet is packed, the other one is emptied, and
// the two change places (rotate.go). A record may stand in a log table and in
// a chunk at the same time; only those that stand in a chunk are ever deleted
// from a log table, and readers take each index once (read.go). No step relies
// on a later one, so a crash between any two of them loses nothing.
//
// # Who does what
//
// One goroutine writes (writer.go). It takes all the appends that wait, checks
// each of them against what it knows (group.go), writes those that pass in one
// transaction, commits, and answers everybody. Whatever else wants to write
// goes through the same goroutine and shares the transaction: summaries,
// claims, checkpoints, accounts, chunks, and the emptying of a log table. A
// second goroutine reads and compresses what is to be packed. Readers use a
// pool of read-only connections.
//
// Another process may open the same database for its accounts only
// ([OpenShared]), to add an agent beside a running server. A lock file keeps a
// second server away.
package sqlite
