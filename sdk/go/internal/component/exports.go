//go:build wasip1

package component

import (
	"encoding/json"
	"unsafe"

	"sangam/sdk/internal/canon"
	"sangam/sdk/internal/core"
)

//go:wasmexport sangam:connector/plugin@0.1.0#describe
func describe() unsafe.Pointer {
	Begin()
	descriptor := descriptor()
	canon.Leave()
	result := canon.NewArea()
	result.SetText(0, descriptor)
	return result.Pointer()
}

// descriptor is that of the plugin, or the sentence about its author's mistake as a JSON text: there is no log here, and the host
// quotes what is no descriptor.
func descriptor() (text string) {
	defer func() {
		switch said := recover().(type) {
		case nil:
		case core.Mistake:
			quoted, err := json.Marshal(string(said))
			if err != nil {
				panic(err)
			}
			text = string(quoted)
		default:
			panic(said)
		}
	}()
	return core.Exported().Describe()
}

// Its result: 0 the case, then at 8 either data and events (16), or the failure.
//
//go:wasmexport sangam:connector/actions@0.1.0#invoke
func invoke(action, actionLength, input, inputLength, context, contextLength uint32) unsafe.Pointer {
	name, in, around := canon.Text(action, actionLength), canon.Text(input, inputLength), canon.Text(context, contextLength)
	Begin()
	output, failure := core.Exported().Invoke(Host{}, name, in, around)
	canon.Leave()
	result := canon.NewArea()
	if failure != nil {
		return Fail(result, failure)
	}
	return Succeed(result, output)
}

// Succeed is the result of an action that succeeded, once canon.Leave has been called.
func Succeed(result *canon.Area, output core.Output) unsafe.Pointer {
	result.SetText(8, output.Data)
	result.SetWords(16, canon.HoldTexts(output.Events), uint32(len(output.Events)))
	return result.Pointer()
}

// Begin begins a call of the host, whose parameters have been taken.
func Begin() {
	canon.Taken()
	canon.Enter()
}

// Fail is the result of a call that failed, once canon.Leave has been called. The failure is at 8: its case; at 16 the problem: reason, at 24 whether there is a delay, at 32 the delay, at
// 40 whether there are details, at 44 the details.
func Fail(result *canon.Area, failure *core.Failure) unsafe.Pointer {
	result.SetU8(0, 1)
	result.SetU8(8, uint8(failure.Case))
	result.SetText(16, failure.Reason)
	if failure.HasAfter {
		result.SetU8(24, 1)
		result.SetU64(32, failure.AfterMS)
	}
	if failure.Details != "" {
		result.SetU8(40, 1)
		result.SetText(44, failure.Details)
	}
	return result.Pointer()
}
