// Package stafftest holds the suite that every adapter of [staff.Store] must
// pass ([StoreSuite]), and an adapter in memory that passes it ([NewStore]).
package stafftest
