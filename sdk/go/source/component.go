//go:build wasip1

package source

import _ "sangam/sdk/internal/component/events" // exports `events`
