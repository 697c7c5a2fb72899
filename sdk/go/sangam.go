// Package sangam is for writing Sangam connectors in Go.
//
// A connector is a WebAssembly component that does actions in one business system, or brings its events in. It has no network,
// files, clock or secrets of its own: it asks the host, which attaches credentials, keeps to rate limits, and records every write.
// So the plain way to write an action is right: look, write, return. After a crash the same call comes again with the same input,
// and writes that succeeded are answered from the journal.
//
// The README of this module is its manual. `sangam plugin build` makes the component.
package sangam
