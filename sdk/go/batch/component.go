//go:build wasip1

package batch

import _ "sangam/sdk/internal/component/batches" // exports `batches`
