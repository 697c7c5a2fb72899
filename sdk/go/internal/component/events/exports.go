//go:build wasip1

// Package events exports the interface `events`.
package events

import (
	"unsafe"

	"sangam/sdk/internal/canon"
	"sangam/sdk/internal/component"
	"sangam/sdk/internal/core"
)

// Its result: 0 the case, then at 8 either events, at 16 whether there is a cursor, at 20 the cursor, at 28 whether there is more,
// at 32 what was set aside; or the failure.
//
//go:wasmexport sangam:connector/events@0.1.0#poll
func poll(stream, streamLength, hasCursor, cursor, cursorLength, limit, context, contextLength uint32) unsafe.Pointer {
	name, around := canon.Text(stream, streamLength), canon.Text(context, contextLength)
	var from *string
	if hasCursor != 0 {
		text := canon.Text(cursor, cursorLength)
		from = &text
	}
	component.Begin()
	page, failure := core.Exported().Poll(component.Host{}, name, from, limit, around)
	canon.Leave()
	result := canon.NewArea()
	if failure != nil {
		return component.Fail(result, failure)
	}
	result.SetWords(8, canon.HoldTexts(page.Events), uint32(len(page.Events)))
	if page.NextCursor != nil {
		result.SetU8(16, 1)
		result.SetText(20, *page.NextCursor)
	}
	if page.More {
		result.SetU8(28, 1)
	}
	words := make([]uint32, 0, 4*len(page.SetAside))
	for _, aside := range page.SetAside {
		words = append(words, canon.HoldText(aside.Data), uint32(len(aside.Data)), canon.HoldText(aside.Reason), uint32(len(aside.Reason)))
	}
	result.SetWords(32, canon.HoldWords(words), uint32(len(page.SetAside)))
	return result.Pointer()
}

// Its result: 0 the case, then at 8 either events, at 16 the status, at 20 the headers, at 28 the body; or the failure.
//
//go:wasmexport sangam:connector/events@0.1.0#receive
func receive(stream, streamLength, method, methodLength, path, pathLength, headers, headersLength, body, bodyLength,
	context, contextLength uint32) unsafe.Pointer {
	name, around := canon.Text(stream, streamLength), canon.Text(context, contextLength)
	request := core.Inbound{
		Method:  canon.Text(method, methodLength),
		Path:    canon.Text(path, pathLength),
		Headers: component.TakeHeaders(headers, headersLength),
		Body:    canon.Bytes(body, bodyLength),
	}
	component.Begin()
	received, failure := core.Exported().Receive(component.Host{}, name, request, around)
	canon.Leave()
	result := canon.NewArea()
	if failure != nil {
		return component.Fail(result, failure)
	}
	reply := received.Reply
	result.SetWords(8, canon.HoldTexts(received.Events), uint32(len(received.Events)))
	result.SetU16(16, reply.Status)
	result.SetWords(20, canon.HoldWords(component.HoldHeaders(reply.Headers)), uint32(len(reply.Headers)))
	result.SetWords(28, canon.HoldBytes(reply.Body), uint32(len(reply.Body)))
	return result.Pointer()
}
