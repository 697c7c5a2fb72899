package main

import (
	"errors"
	"fmt"

	sangam "sangam/sdk"
)

// returnParts puts back what takeParts took: the effects say what that was, also where it failed halfway.
func returnParts(ctx *sangam.Context[Config], undo sangam.Undo[TakeParts, Movements]) (Movements, error) {
	in, out := undo.Input, Movements{Movements: []Movement{}}
	for _, part := range together(in.Parts) {
		taken, err := wasTaken(ctx, undo, part)
		if err != nil {
			return out, fmt.Errorf("whether %s was taken for job %s: %w", part.SKU, in.JobRef, err)
		}
		if !taken {
			continue
		}
		back := take(in, part, ctx.Config)
		back.Quantity = part.Quantity
		movement, err := back.send(ctx.Request("POST", movements(ctx)).Name("return/" + part.SKU))
		if err != nil {
			return out, fmt.Errorf("%s of %s of job %s back: %w", part.Quantity, part.SKU, in.JobRef, err)
		}
		out.Movements = append(out.Movements, movement)
	}
	ctx.Log.Info("returned parts", "job", in.JobRef, "parts", len(out.Movements))
	return out, nil
}

// wasTaken says whether a part is out of stock. A write whose answer was lost is sent again under its old key: then it is either
// answered as it was, or done now; in both cases the part is taken, and can be put back.
func wasTaken(ctx *sangam.Context[Config], undo sangam.Undo[TakeParts, Movements], part Part) (bool, error) {
	effect := undo.Effect(takeName(part.SKU))
	if effect == nil || effect.State == sangam.EffectFailed {
		return false, nil
	}
	if effect.State == sangam.EffectDone || effect.Key == nil {
		return true, nil
	}
	request := ctx.Request("POST", movements(ctx)).Name("settle/"+part.SKU).Header("Idempotency-Key", *effect.Key)
	_, err := take(undo.Input, part, ctx.Config).send(request)
	if errors.Is(err, errShort) || errors.Is(err, errUnknown) {
		return false, nil // it is refused now, so it had not been done
	}
	return err == nil, err
}
