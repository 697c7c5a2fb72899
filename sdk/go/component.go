//go:build wasip1

package sangam

import (
	"log/slog"

	"sangam/sdk/internal/component" // exports `plugin` and `actions`
)

func init() {
	slog.SetDefault(slog.New(&logHandler{host: component.Host{}}))
}
