package sangam

import (
	"iter"

	"sangam/sdk/internal/core"
)

// KV is a small durable store, one space for each plugin, shared by all its runs.
//
// Writes take effect together with the success of the step (or with the events of a poll), and not at all otherwise. Reading,
// computing and writing back is safe: if another run changes a key in between, the attempt is made again. Read first: once the step
// has sent a write, reading a key it had not read before is refused.
//
// Keys have up to 512 bytes, values 256 KiB. All failures are Rejected, but Retry where the store can't be reached.
type KV struct{ host core.Host }

// Get is the value of a key; nil if there is none.
func (kv KV) Get(key string) ([]byte, error) {
	value, found, err := kv.host.Get(key)
	if err != nil {
		return nil, storeFailure(key, err)
	}
	if found && value == nil {
		value = []byte{}
	}
	return value, nil
}

// GetJSON reads the JSON of a key into a type of yours, and says whether there was any.
func (kv KV) GetJSON(key string, target any) (bool, error) {
	value, err := kv.Get(key)
	if err != nil || value == nil {
		return false, err
	}
	return true, parse(value, "key `"+key+"`", target)
}

// Set sets a value. Without reading the key before, the last one counts.
func (kv KV) Set(key string, value []byte) error {
	return storeFailure(key, kv.host.Set(key, value))
}

// SetJSON sets a value as JSON.
func (kv KV) SetJSON(key string, value any) error {
	text, err := encode(value)
	if err != nil {
		return Rejectf("key `%s`: %w", key, err)
	}
	return kv.Set(key, text)
}

// Delete removes a key; nothing happens if there is none.
func (kv KV) Delete(key string) error {
	return storeFailure(key, kv.host.Delete(key))
}

// Increment adds to a decimal integer kept as text (an absent key counts as 0) and gives the sum. It counts as reading.
func (kv KV) Increment(key string, delta int64) (int64, error) {
	sum, err := kv.host.Increment(key, delta)
	return sum, storeFailure(key, err)
}

// CompareAndSwap sets the value if the present one is the expected one (nil: absent), and says whether it did. It counts as reading.
func (kv KV) CompareAndSwap(key string, expected, value []byte) (bool, error) {
	done, err := kv.host.CompareAndSwap(key, expected, value)
	return done, storeFailure(key, err)
}

// List gives keys with a prefix, at most limit (1 to 1000) at a time, and the cursor of the next page, empty at the end. It counts as
// reading the whole prefix.
func (kv KV) List(prefix, cursor string, limit int) (keys []string, next string, err error) {
	keys, next, failed := kv.host.List(prefix, cursor, uint32(max(0, limit)))
	return keys, next, storeFailure(prefix, failed)
}

// Keys goes through all keys with a prefix.
//
//	for key, err := range ctx.KV.Keys("week/") {
//		if err != nil {
//			return out, err
//		}
//		…
//	}
func (kv KV) Keys(prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		cursor := ""
		for {
			keys, next, err := kv.List(prefix, cursor, 1000)
			if err != nil {
				yield("", err)
				return
			}
			for _, key := range keys {
				if !yield(key, nil) {
					return
				}
			}
			if next == "" {
				return
			}
			cursor = next
		}
	}
}

func storeFailure(key string, err *core.StoreError) error {
	if err == nil {
		return nil
	}
	switch err.Case {
	case core.NotClaimed:
		return Rejectf("key `%s` was first read after a write: read all keys before", key)
	case core.TooLarge:
		return Rejectf("key `%s` or its value is too large: %s", key, err.Text)
	case core.Full:
		return Rejectf("key `%s`: the plugin's space is full (`key-value-size`): %s", key, err.Text)
	case core.Invalid:
		return Rejectf("key `%s`: %s", key, err.Text)
	}
	return Retryf("key `%s`: %s", key, err.Text)
}
