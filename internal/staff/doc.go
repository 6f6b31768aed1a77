// Package staff knows who works here: accounts of agents and supervisors,
// their passwords, and the browsers in which they are signed in.
package staff
