module runner.dev/plugin

go 1.24
