// Package types has the shapes of the contract's answers in the generated bindings.
package types

// Tags of an Option and of a Result.
const (
	OptionNone = 0
	OptionSome = 1
	ResultOk   = 0
	ResultErr  = 1
)

// Option is a value that may be missing.
type Option[T any] struct {
	some  bool
	value T
}

// Some is a value that is there.
func Some[T any](value T) Option[T] { return Option[T]{true, value} }

// None is a value that is not there.
func None[T any]() Option[T] { return Option[T]{} }

// Tag says whether it is there.
func (o Option[T]) Tag() uint8 {
	if o.some {
		return OptionSome
	}
	return OptionNone
}

// Some is the value; the zero value where there is none.
func (o Option[T]) Some() T { return o.value }

// Get is the value, and whether it is there.
func (o Option[T]) Get() (T, bool) { return o.value, o.some }

// Result is a value or what went wrong.
type Result[T, E any] struct {
	failed bool
	value  T
	err    E
}

// Ok is a value.
func Ok[T, E any](value T) Result[T, E] { return Result[T, E]{value: value} }

// Err is what went wrong.
func Err[T, E any](err E) Result[T, E] { return Result[T, E]{failed: true, err: err} }

// Tag says which of them it is.
func (r Result[T, E]) Tag() uint8 {
	if r.failed {
		return ResultErr
	}
	return ResultOk
}

// Ok is the value.
func (r Result[T, E]) Ok() T { return r.value }

// Err is what went wrong.
func (r Result[T, E]) Err() E { return r.err }

// Unit is no value.
type Unit struct{}
