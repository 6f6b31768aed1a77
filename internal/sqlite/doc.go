// Package sqlite stores Halley's logs and accounts in one SQLite database in
// one data directory: it implements [engine.Log], [staff.Store], [push.Store]
// and [audit.Store].
//
// # Layout
//
// Live records are rows of two tables, log0 and log1, in order of arrival and
// without an index by log: an append writes to the right edge of one B-tree
// only. The mapping from logs to rows is in memory (position.go) and rebuilt at
// open from the manifest (manifest.go) and a scan of the rows after it
// (scan.go).
//
// A chat that has ended, and the tail of a log beyond a threshold, is packed:
// written again as compressed rows of the table chunk, which has a key by log
// (pack.go). When the current log table is full, everything in the older one
// that is not packed yet is packed, the older table is emptied, and the two
// swap roles (rotate.go). A record may be in a log table and in a chunk at the
// same time; only records in a committed chunk are ever deleted from a log
// table, and readers return each index once (read.go). No step depends on a
// later one, so a crash between any two loses nothing.
//
// Every row has a checksum, and what is damaged fails alone (checksum.go).
//
// # Concurrency
//
// One goroutine writes (writer.go): group commit. It drains the queue, checks
// each append against the committed and staged state (group.go), writes those
// that pass in one transaction, commits, and answers all of them. All other
// writes go through the same queue and share the transaction: summaries,
// claims, checkpoints, accounts, chunks, the audit log, and the emptying of a
// log table. A second goroutine reads and compresses what is to be packed.
// Readers use a pool of read-only connections.
//
// Another process may open the same database for everything but the logs
// ([OpenShared]), and read all of it ([Snapshot], [Check]). A lock file keeps a
// second server out.
package sqlite
