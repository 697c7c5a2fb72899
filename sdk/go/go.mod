module sangam/sdk

go 1.24
