module warehouse

go 1.24

require sangam/sdk v0.0.0

replace sangam/sdk => ../../sdk/go
