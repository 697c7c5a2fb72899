package main

import (
	"errors"

	sangam "sangam/sdk"
)

// Movement changes the stock of an article: a negative quantity takes.
type Movement struct {
	ID        string   `json:"id,omitempty"`
	SKU       string   `json:"sku"`
	Quantity  Quantity `json:"-"`
	Location  string   `json:"-"`
	Reference string   `json:"-"`
	OnHand    Quantity `json:"on_hand" doc:"What is left."`
}

// What the warehouse refuses because of the stock; nothing was booked then.
var (
	errShort   = errors.New("too little is on hand")
	errUnknown = errors.New("the warehouse does not know this item")
)

func movements(ctx *sangam.Context[Config]) string {
	return ctx.Config.BaseURL + "/api/stock-movements"
}

// ANCHOR: send
// send books the movement. The host adds its idempotency key, which the warehouse honours.
func (m Movement) send(request *sangam.Request) (made Movement, err error) {
	body := map[string]any{"sku": m.SKU, "quantity": m.Quantity, "reference": m.Reference}
	if m.Location != "" {
		body["location"] = m.Location
	}
	response, err := request.JSON(body).Send()
	if err != nil {
		return made, err
	}
	if err := refusal(response); err != nil {
		return made, err
	}
	return made, response.Into(&made)
}

// refusal knows the warehouse's own ways of saying no first, then those of HTTP.
func refusal(response *sangam.Response) error {
	var said struct {
		Error  string    `json:"error"`
		OnHand *Quantity `json:"on_hand"`
		Field  string    `json:"field"`
		Detail string    `json:"detail"`
	}
	if response.Status < 400 || response.Into(&said) != nil {
		return response.OK()
	}
	switch {
	case response.Status == 423:
		return sangam.Retryf("the location is locked, as during stocktaking").WithResponse(response)
	case response.Status == 409 && said.Error == "insufficient-stock" && said.OnHand != nil:
		return sangam.Rejectf("%w: %s", errShort, said.OnHand).WithDetails(map[string]any{"code": said.Error, "on_hand": said.OnHand})
	case response.Status == 404 && said.Error == "unknown-item":
		return sangam.Rejectf("%w", errUnknown).WithResponse(response)
	case response.Status == 422:
		return sangam.Rejectf("the warehouse wants %s to be %s", said.Field, said.Detail).WithResponse(response)
	}
	return response.OK()
}

// ANCHOR_END: send
