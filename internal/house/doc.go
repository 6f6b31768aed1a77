// Package house holds no code: its tests check the repository itself, who
// imports whom, that every package says what it is, and that files stay small
// enough to read.
package house
