// The plugin @name@. What it answers is registered beside the code of each role.
package main

func main() {}
