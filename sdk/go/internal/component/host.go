//go:build wasip1

// Package component joins a plugin to the contract: it imports `http`, `key-value` and `log`, and exports `plugin` and
// `actions`. The exports of `events` and `batches` are in packages of their own, so that a component has them only if it has streams, or
// takes several runs at once.
package component

import (
	"unsafe"

	"sangam/sdk/internal/canon"
	"sangam/sdk/internal/core"
)

// Host calls the imports. None of them may be marked noescape: while the host answers, cabi_realloc runs on the caller's stack,
// which may grow, and so move what lies on it.
type Host struct{}

func init() { core.Component = Host{} }

//go:wasmimport sangam:connector/http@0.1.0 send
func send(method unsafe.Pointer, methodLength uint32, url unsafe.Pointer, urlLength uint32,
	headers, headersLength uint32, body unsafe.Pointer, bodyLength uint32,
	hasTimeout uint32, timeout uint64, hasName uint32, name unsafe.Pointer, nameLength uint32,
	readOnly uint32, result unsafe.Pointer)

//go:wasmimport sangam:connector/http@0.1.0 key
func key(name unsafe.Pointer, nameLength uint32, result unsafe.Pointer)

//go:wasmimport sangam:connector/key-value@0.1.0 get
func get(key unsafe.Pointer, keyLength uint32, result unsafe.Pointer)

//go:wasmimport sangam:connector/key-value@0.1.0 set
func set(key unsafe.Pointer, keyLength uint32, value unsafe.Pointer, valueLength uint32, result unsafe.Pointer)

//go:wasmimport sangam:connector/key-value@0.1.0 delete
func remove(key unsafe.Pointer, keyLength uint32, result unsafe.Pointer)

//go:wasmimport sangam:connector/key-value@0.1.0 increment
func increment(key unsafe.Pointer, keyLength uint32, delta int64, result unsafe.Pointer)

//go:wasmimport sangam:connector/key-value@0.1.0 compare-and-swap
func compareAndSwap(key unsafe.Pointer, keyLength uint32, hasExpected uint32, expected unsafe.Pointer, expectedLength uint32,
	value unsafe.Pointer, valueLength uint32, result unsafe.Pointer)

//go:wasmimport sangam:connector/key-value@0.1.0 list
func list(prefix unsafe.Pointer, prefixLength uint32, hasCursor uint32, cursor unsafe.Pointer, cursorLength uint32,
	limit uint32, result unsafe.Pointer)

//go:wasmimport sangam:connector/log@0.1.0 log
func log(level uint32, message unsafe.Pointer, messageLength uint32, fields, fieldsLength uint32)

// Send sends a request. Its result: 0 the case, then at 8 either status, headers (12) and body (20), or the error: its case, and
// at 16 its text or number.
func (Host) Send(request core.Request) (core.Response, *core.SendError) {
	area := begin()
	defer end()
	words := HoldHeaders(request.Headers)
	send(text(request.Method), length(request.Method), text(request.URL), length(request.URL),
		canon.HoldWords(words), uint32(len(request.Headers)),
		bytes(request.Body), uint32(len(request.Body)),
		flag(request.TimeoutMS != 0), request.TimeoutMS,
		flag(request.Name != ""), text(request.Name), length(request.Name),
		flag(request.ReadOnly), area.Pointer())
	if area.U8(0) == 0 {
		headers := TakeHeaders(area.U32(12), area.U32(16))
		return core.Response{Status: area.U16(8), Headers: headers, Body: area.Bytes(20)}, nil
	}
	failure := &core.SendError{Case: core.SendCase(area.U8(8))}
	switch failure.Case {
	case core.ResponseTooLarge:
		failure.Number = area.U64(16)
	case core.TooManyCalls:
		failure.Number = uint64(area.U32(16))
	default:
		failure.Text = area.Text(16)
	}
	return core.Response{}, failure
}

// Key is the idempotency key of a write.
func (Host) Key(name string) string {
	area := begin()
	defer end()
	key(text(name), length(name), area.Pointer())
	return area.Text(0)
}

// Get reads a key. Its result: 0 the case, then at 4 whether there is a value and at 8 the value; or the error.
func (Host) Get(name string) ([]byte, bool, *core.StoreError) {
	area := begin()
	defer end()
	get(text(name), length(name), area.Pointer())
	if err := storeError(area, 4); err != nil {
		return nil, false, err
	}
	if area.U8(4) == 0 {
		return nil, false, nil
	}
	return area.Bytes(8), true, nil
}

// Set writes a key.
func (Host) Set(name string, value []byte) *core.StoreError {
	area := begin()
	defer end()
	set(text(name), length(name), bytes(value), uint32(len(value)), area.Pointer())
	return storeError(area, 4)
}

// Delete removes a key.
func (Host) Delete(name string) *core.StoreError {
	area := begin()
	defer end()
	remove(text(name), length(name), area.Pointer())
	return storeError(area, 4)
}

// Increment adds to a key. Its result is at 8, since it is aligned to eight bytes.
func (Host) Increment(name string, delta int64) (int64, *core.StoreError) {
	area := begin()
	defer end()
	increment(text(name), length(name), delta, area.Pointer())
	if err := storeError(area, 8); err != nil {
		return 0, err
	}
	return int64(area.U64(8)), nil
}

// CompareAndSwap sets a key if its value is the expected one.
func (Host) CompareAndSwap(name string, expected, value []byte) (bool, *core.StoreError) {
	area := begin()
	defer end()
	compareAndSwap(text(name), length(name), flag(expected != nil), bytes(expected), uint32(len(expected)),
		bytes(value), uint32(len(value)), area.Pointer())
	if err := storeError(area, 4); err != nil {
		return false, err
	}
	return area.U8(4) != 0, nil
}

// List lists keys. Its result, at 4: the keys, at 12 whether there is a cursor, at 16 the cursor.
func (Host) List(prefix, cursor string, limit uint32) ([]string, string, *core.StoreError) {
	area := begin()
	defer end()
	list(text(prefix), length(prefix), flag(cursor != ""), text(cursor), length(cursor), limit, area.Pointer())
	if err := storeError(area, 4); err != nil {
		return nil, "", err
	}
	words := canon.Words(area.U32(4), area.U32(8), 2)
	keys := make([]string, 0, len(words)/2)
	for i := 0; i < len(words); i += 2 {
		keys = append(keys, canon.Text(words[i], words[i+1]))
	}
	if area.U8(12) == 0 {
		return keys, "", nil
	}
	return keys, area.Text(16), nil
}

// Log writes a line.
func (Host) Log(level core.Level, message string, fields []core.Field) {
	canon.Leave()
	defer end()
	words := make([]uint32, 0, 4*len(fields))
	for _, field := range fields {
		words = append(words, canon.HoldText(field.Name), length(field.Name), canon.HoldText(field.Value), length(field.Value))
	}
	log(uint32(level), text(message), length(message), canon.HoldWords(words), uint32(len(fields)))
}

func begin() *canon.Area {
	canon.Leave()
	return canon.NewArea()
}

func end() {
	canon.Taken()
	canon.Enter()
}

// storeError reads the error of a result whose payload begins at that offset.
func storeError(area *canon.Area, payload uintptr) *core.StoreError {
	if area.U8(0) == 0 {
		return nil
	}
	return &core.StoreError{Case: core.StoreCase(area.U8(payload)), Text: area.Text(payload + 4)}
}

// HoldHeaders makes words of headers.
func HoldHeaders(headers []core.Header) []uint32 {
	words := make([]uint32, 0, 4*len(headers))
	for _, header := range headers {
		words = append(words, canon.HoldText(header.Name), length(header.Name), canon.HoldBytes(header.Value), uint32(len(header.Value)))
	}
	return words
}

// TakeHeaders makes headers of words.
func TakeHeaders(address, count uint32) []core.Header {
	words := canon.Words(address, count, 4)
	headers := make([]core.Header, 0, len(words)/4)
	for i := 0; i < len(words); i += 4 {
		headers = append(headers, core.Header{Name: canon.Text(words[i], words[i+1]), Value: canon.Bytes(words[i+2], words[i+3])})
	}
	return headers
}

func text(value string) unsafe.Pointer { return unsafe.Pointer(unsafe.StringData(value)) }

func length(value string) uint32 { return uint32(len(value)) }

func bytes(value []byte) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(value)) }

func flag(value bool) uint32 {
	if value {
		return 1
	}
	return 0
}
