// Package backup copies a data directory while its server runs, and brings a
// copy back.
//
// A backup is a directory: the database as a snapshot of one moment, the files
// that were shared, the secret, and backup.json, which lists each of them with
// its length and its SHA-256. backup.json is written last, so a directory that
// has it is complete.
package backup
