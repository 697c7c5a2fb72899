//go:build wasip1

package canon

import "unsafe"

// Texts, lists of bytes and lists of pairs are lists of words: an address and a length each.

// Text takes a string that the host allocated.
func Text(address, length uint32) string {
	if length == 0 {
		return ""
	}
	return unsafe.String((*byte)(pointer(address)), length)
}

// Bytes takes a list of bytes that the host allocated.
func Bytes(address, length uint32) []byte {
	if length == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(pointer(address)), length)
}

// Words are the words of a list that the host allocated: for texts two an element, for pairs four.
func Words(address, length, perElement uint32) []uint32 {
	if length == 0 {
		return nil
	}
	return unsafe.Slice((*uint32)(pointer(address)), length*perElement)
}

// HoldText gives the address of a string, which stays there until Taken.
func HoldText(text string) uint32 {
	if text == "" {
		return 0
	}
	return Hold(unsafe.Pointer(unsafe.StringData(text)))
}

// HoldBytes gives the address of bytes, which stay there until Taken.
func HoldBytes(bytes []byte) uint32 {
	if len(bytes) == 0 {
		return 0
	}
	return Hold(unsafe.Pointer(unsafe.SliceData(bytes)))
}

// HoldWords gives the address of words, which stay there until Taken.
func HoldWords(words []uint32) uint32 {
	if len(words) == 0 {
		return 0
	}
	return Hold(unsafe.Pointer(unsafe.SliceData(words)))
}

// HoldTexts gives the address of a list of texts.
func HoldTexts(texts []string) uint32 {
	words := make([]uint32, 0, 2*len(texts))
	for _, text := range texts {
		words = append(words, HoldText(text), uint32(len(text)))
	}
	return HoldWords(words)
}

// pointer makes an address of the linear memory one of Go's. What lies there is kept alive by `given`, and does not move.
func pointer(address uint32) unsafe.Pointer {
	at := uintptr(address)
	return *(*unsafe.Pointer)(unsafe.Pointer(&at))
}
