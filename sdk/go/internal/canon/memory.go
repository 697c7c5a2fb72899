//go:build wasip1

// Package canon reads and writes the values of the component model's canonical ABI in linear memory.
//
// The contract is small, so what other languages generate is written by hand here: it reads better and needs no generator. The
// layouts follow https://github.com/WebAssembly/component-model/blob/main/design/mvp/CanonicalABI.md: fields in order at their
// alignment; a variant is its case's number and then, at the largest alignment of its cases, the payload; texts and lists are an
// address and a length.
package canon

import (
	"math"
	"runtime"
	"runtime/debug"
	"sync"
	"unsafe"
)

// MemoryLimit is where the collector begins to work. A call has an instance of its own and 64 MiB; most end long before there is
// anything worth collecting.
const MemoryLimit = 48 << 20

const (
	// Below this size of the memory no collection can have begun, nor will the largest answer of the host (16 MiB) begin one: the
	// runtime starts at seven tenths of what MemoryLimit leaves for the heap, 31 MB or more.
	quiet = 12 << 20
	// Above this size one may be under way.
	busy = 24 << 20
)

// limit is what Enter restores: an author may have set another.
var limit int64 = MemoryLimit

func init() {
	away.Lock() // until the first call
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(MemoryLimit)
}

// given holds what the host has allocated here until it is taken: it knows addresses, which keep nothing alive.
var given [][]byte

// held keeps values alive whose addresses the host has.
var held []unsafe.Pointer

// Realloc allocates for the host: its results, and the parameters of what it calls. While it runs the instance may not call the
// host, so it must not make the collector read the clock; Leave sees to that.
//
//go:wasmexport cabi_realloc
func realloc(old, oldSize, alignment, size uint32) uint32 {
	if size == 0 {
		return alignment
	}
	// In words of eight bytes: no alignment of the contract is larger.
	memory := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(make([]uint64, (size+7)/8)))), size)
	if oldSize != 0 {
		copy(memory, Bytes(old, oldSize))
	}
	given = append(given, memory)
	return uint32(uintptr(unsafe.Pointer(unsafe.SliceData(memory))))
}

// away is held while the host is called, or has returned to: from Leave to Enter. The collector, which Leave may wait for, lets other
// goroutines run, and none of them may call the host, or take for its own what lies in given and held, in between.
var away sync.Mutex

// Leave prepares for a call of the host, or the return to it: until Enter the collector does not run.
func Leave() {
	away.Lock()
	size := memorySize() << 16
	if size < quiet {
		return
	}
	if size > busy {
		runtime.GC() // ends one that is under way, too; with the limit in force others can't make much garbage meanwhile
	}
	if present := debug.SetMemoryLimit(math.MaxInt64); present != math.MaxInt64 {
		limit = present
	}
	if size > busy && runtime.NumGoroutine() > 1 {
		runtime.GC() // another goroutine may have begun one before the limit was gone
	}
}

// Enter is the end of Leave. What the host gave must have been taken.
func Enter() {
	if memorySize()<<16 >= quiet {
		debug.SetMemoryLimit(limit)
	}
	away.Unlock()
}

// Taken forgets what the host gave and was given: all of it has been read.
func Taken() {
	clear(given)
	given = given[:0]
	clear(held)
	held = held[:0]
}

// Hold keeps p alive, and on the heap, until Taken; it gives the address.
func Hold(p unsafe.Pointer) uint32 {
	held = append(held, p)
	return uint32(uintptr(p))
}

// memorySize is the size of the linear memory in pages of 64 KiB.
func memorySize() uint32
