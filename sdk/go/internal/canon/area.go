//go:build wasip1

package canon

import "unsafe"

// Area is memory for the result of a call, addressed by byte. The largest result of the contract, that of `invoke`, has 56 bytes.
type Area [7]uint64

// NewArea gives an area that stays where it is.
func NewArea() *Area {
	area := new(Area)
	Hold(unsafe.Pointer(area))
	return area
}

// HoldAreas gives the address of a list of results, which stay there until Taken.
func HoldAreas(areas []Area) uint32 {
	if len(areas) == 0 {
		return 0
	}
	return Hold(unsafe.Pointer(unsafe.SliceData(areas)))
}

// Pointer is the area's address.
func (a *Area) Pointer() unsafe.Pointer { return unsafe.Pointer(a) }

func (a *Area) at(offset uintptr) unsafe.Pointer { return unsafe.Add(unsafe.Pointer(a), offset) }

// U8 reads a byte, such as the number of a case.
func (a *Area) U8(offset uintptr) uint8 { return *(*uint8)(a.at(offset)) }

// U16 reads two bytes.
func (a *Area) U16(offset uintptr) uint16 { return *(*uint16)(a.at(offset)) }

// U32 reads four bytes.
func (a *Area) U32(offset uintptr) uint32 { return *(*uint32)(a.at(offset)) }

// U64 reads eight bytes.
func (a *Area) U64(offset uintptr) uint64 { return *(*uint64)(a.at(offset)) }

// Text reads a string that the host allocated; it belongs to the reader from now on.
func (a *Area) Text(offset uintptr) string { return Text(a.U32(offset), a.U32(offset+4)) }

// Bytes reads a list of bytes that the host allocated; it belongs to the reader from now on.
func (a *Area) Bytes(offset uintptr) []byte { return Bytes(a.U32(offset), a.U32(offset+4)) }

// SetU8 writes a byte.
func (a *Area) SetU8(offset uintptr, value uint8) { *(*uint8)(a.at(offset)) = value }

// SetU16 writes two bytes.
func (a *Area) SetU16(offset uintptr, value uint16) { *(*uint16)(a.at(offset)) = value }

// SetU64 writes eight bytes.
func (a *Area) SetU64(offset uintptr, value uint64) { *(*uint64)(a.at(offset)) = value }

// SetText writes a string.
func (a *Area) SetText(offset uintptr, text string) {
	a.SetWords(offset, HoldText(text), uint32(len(text)))
}

// SetWords writes an address and a length.
func (a *Area) SetWords(offset uintptr, address, length uint32) {
	*(*uint32)(a.at(offset)) = address
	*(*uint32)(a.at(offset + 4)) = length
}
