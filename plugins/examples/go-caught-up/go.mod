module example.org/caught-up

go 1.24

require runner.dev/plugin v0.0.0

replace runner.dev/plugin => ./.runner/sdk-go
