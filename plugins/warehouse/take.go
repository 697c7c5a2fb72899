package main

import (
	"fmt"
	"slices"
	"strings"

	sangam "sangam/sdk"
)

// TakeParts is the input of `take-parts`.
type TakeParts struct {
	_        struct{} `doc:"Takes the parts of a job out of stock. If one is unknown or short, nothing is taken."`
	JobRef   string   `json:"job_ref" minLength:"1" maxLength:"100" doc:"The job, as the movements will name it."`
	Location string   `json:"location,omitempty" doc:"Where the parts are, in place of the configured location."`
	Parts    []Part   `json:"parts" maxItems:"100" doc:"What was used. Parts of one number are taken together."`
}

// Part is a number of pieces of one article.
type Part struct {
	SKU      string   `json:"sku" minLength:"1" maxLength:"100" doc:"The article's number."`
	Quantity Quantity `json:"quantity" exclusiveMinimum:"0" doc:"At most three digits after the point."`
}

// Movements is the output of both actions.
type Movements struct {
	Movements []Movement `json:"movements"`
}

func takeParts(ctx *sangam.Context[Config], in TakeParts) (Movements, error) {
	parts := together(in.Parts)
	// An attempt before this one may have taken some already: then what is left says nothing.
	if ctx.FirstAttempt() {
		if err := look(ctx, in.from(ctx.Config), parts); err != nil {
			return Movements{}, err
		}
	}
	out := Movements{Movements: []Movement{}}
	for _, part := range parts {
		movement, err := take(in, part, ctx.Config).send(ctx.Request("POST", movements(ctx)).Name(takeName(part.SKU)))
		if err != nil {
			return out, fmt.Errorf("%s of %s for job %s: %w", part.Quantity, part.SKU, in.JobRef, err)
		}
		out.Movements = append(out.Movements, movement)
	}
	ctx.Log.Info("took parts", "job", in.JobRef, "parts", len(parts))
	return out, nil
}

// look rejects the whole input if any part can't be taken, and says all that is wrong at once.
func look(ctx *sangam.Context[Config], location string, parts []Part) error {
	var short []string
	for _, part := range parts {
		response, err := ctx.Get(ctx.Config.BaseURL + "/api/items/" + sangam.Encode(part.SKU)).Send()
		if err != nil {
			return err
		}
		if response.Status == 404 {
			short = append(short, part.SKU+" is unknown")
			continue
		}
		if err := response.OK(); err != nil {
			return err
		}
		var item struct {
			Stock map[string]Quantity `json:"stock"`
		}
		if err := response.Into(&item); err != nil {
			return err
		}
		// Only the warehouse knows where it takes from if nobody says; it refuses what it has not got there.
		if onHand := item.Stock[location]; location != "" && onHand < part.Quantity {
			short = append(short, fmt.Sprintf("of %s there are %s at %s, %s are wanted", part.SKU, onHand, location, part.Quantity))
		}
	}
	if short != nil {
		return sangam.Rejectf("Nothing was taken: %s", strings.Join(short, "; ")).WithDetails(map[string]any{"short": short})
	}
	return nil
}

// from is where the parts are.
func (in TakeParts) from(config Config) string {
	if in.Location != "" {
		return in.Location
	}
	return config.Location
}

// together adds up the parts of one number: a write needs a name of its own, and is named for its part.
func together(parts []Part) []Part {
	var sums []Part
	for _, part := range parts {
		at := slices.IndexFunc(sums, func(sum Part) bool { return sum.SKU == part.SKU })
		if at < 0 {
			sums = append(sums, part)
		} else {
			sums[at].Quantity += part.Quantity
		}
	}
	return sums
}

func take(in TakeParts, part Part, config Config) Movement {
	return Movement{SKU: part.SKU, Quantity: -part.Quantity, Location: in.from(config), Reference: in.JobRef}
}

// takeName names the write that takes a part.
func takeName(sku string) string { return "take/" + sku }
