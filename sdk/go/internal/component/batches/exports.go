//go:build wasip1

// Package batches exports the interface `batches`.
package batches

import (
	"unsafe"

	"sangam/sdk/internal/canon"
	"sangam/sdk/internal/component"
	"sangam/sdk/internal/core"
)

// Its result is a list, of which each element is laid out as the result of `invoke`.
//
//go:wasmexport sangam:connector/batches@0.1.0#invoke-batch
func invokeBatch(action, actionLength, invocations, invocationsLength uint32) unsafe.Pointer {
	name := canon.Text(action, actionLength)
	words := canon.Words(invocations, invocationsLength, 4)
	asked := make([]core.Invocation, 0, invocationsLength)
	for i := 0; i < len(words); i += 4 {
		asked = append(asked, core.Invocation{Input: canon.Text(words[i], words[i+1]), Context: canon.Text(words[i+2], words[i+3])})
	}
	component.Begin()
	results := core.Exported().InvokeBatch(component.Host{}, name, asked)
	canon.Leave()
	areas := make([]canon.Area, len(results))
	for i := range results {
		if failure := results[i].Failure; failure != nil {
			component.Fail(&areas[i], failure)
		} else {
			component.Succeed(&areas[i], results[i].Output)
		}
	}
	result := canon.NewArea()
	result.SetWords(0, canon.HoldAreas(areas), uint32(len(areas)))
	return result.Pointer()
}
