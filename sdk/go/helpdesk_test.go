package sangam_test

import (
	"fmt"
	"strings"
	"time"

	sangam "sangam/sdk"
)

// The plugin that the tests of this package call: it comments on tickets of a helpdesk that knows neither idempotency keys nor
// external ids.

type Config struct {
	BaseURL string `json:"base-url" format:"uri" doc:"Origin of the API."`
}

type Ticket struct {
	Ticket string `json:"ticket" minLength:"1" doc:"The ticket's number."`
}

type AddComment struct {
	_ struct{} `doc:"Adds a comment to a ticket, once."`
	Ticket
	Text     string     `json:"text" personal:"true"`
	Priority string     `json:"priority,omitempty" enum:"low,high" default:"low"`
	Due      *time.Time `json:"due"`
	Tags     []string   `json:"tags,omitempty" maxItems:"3"`
}

type Comment struct {
	ID string `json:"id"`
}

var helpdesk = sangam.New(sangam.About{
	Name: "helpdesk", Version: "1.2.0", Title: "Helpdesk", Description: "Comments on tickets.",
	Hosts: []string{"${base-url}"}, Emits: []string{"comment.added"},
},
	sangam.Action("add-comment", "Comment on a ticket", addComment).UndoneBy("delete-comment"),
	sangam.Action("delete-comment", "Delete a comment", deleteComment).Describe("Deletes what add-comment made.").Idempotent(),
)

func addComment(ctx *sangam.Context[Config], in AddComment) (Comment, error) {
	comments := ctx.Config.BaseURL + "/tickets/" + sangam.Encode(in.Ticket.Ticket) + "/comments"
	marker := "[sangam:" + ctx.Key("comment") + "]"
	// An attempt before this one may have left a comment without hearing of it.
	if !ctx.FirstAttempt() {
		found, err := lookFor(ctx, comments, marker)
		if err != nil || found != nil {
			return *found, err
		}
	}
	var made Comment
	response, err := ctx.Post(comments).Name("comment").JSON(map[string]any{"text": in.Text + " " + marker}).Send()
	if err != nil {
		return made, err
	}
	if response.Status == 403 && strings.Contains(response.Text(), "QUOTA") {
		return made, sangam.RateLimitedf("The helpdesk's hourly quota is used up").WithResponse(response)
	}
	if err := response.OK(); err != nil {
		return made, fmt.Errorf("ticket %s: %w", in.Ticket.Ticket, err)
	}
	if err := response.Into(&made); err != nil {
		return made, err
	}
	ctx.Log.Info("commented on a ticket", "ticket", in.Ticket.Ticket, "comment", made.ID)
	ctx.Emit(sangam.NewEvent{Type: "comment.added", Data: made, Subject: in.Ticket.Ticket})
	return made, nil
}

func lookFor(ctx *sangam.Context[Config], comments, marker string) (*Comment, error) {
	var there []struct {
		Comment
		Text string `json:"text"`
	}
	if err := ctx.Get(comments).Into(&there); err != nil {
		return &Comment{}, err
	}
	for _, one := range there {
		if strings.Contains(one.Text, marker) {
			return &one.Comment, nil
		}
	}
	return nil, nil
}

func deleteComment(ctx *sangam.Context[Config], undo sangam.Undo[AddComment, Comment]) (struct{}, error) {
	comments := ctx.Config.BaseURL + "/tickets/" + sangam.Encode(undo.Input.Ticket.Ticket) + "/comments"
	comment := undo.Output
	if effect := undo.Effect("comment"); comment == nil && effect != nil && effect.State != sangam.EffectFailed {
		// The step failed, yet its comment may be there.
		found, err := lookFor(ctx, comments, "[sangam:"+*effect.Key+"]")
		if err != nil {
			return struct{}{}, err
		}
		comment = found
	}
	if comment == nil {
		return struct{}{}, nil
	}
	response, err := ctx.Delete(comments + "/" + sangam.Encode(comment.ID)).Name("delete").Send()
	if err != nil || response.Status == 404 {
		return struct{}{}, err
	}
	return struct{}{}, response.OK()
}
