//go:build wasm

// Package runtime is what the generated bindings need at run time: memory that the host may write to, and one caller of the host
// at a time.
package runtime

import (
	"runtime"
	"unsafe"
)

// Handle is a handle of the component model; 0 once it was handed on or dropped.
type Handle struct{ value int32 }

// MakeHandle returns the handle of that number.
func MakeHandle(value int32) *Handle { return &Handle{value} }

// Use returns its number.
func (h *Handle) Use() int32 {
	if h.value == 0 {
		panic("used after the call that it was given to")
	}
	return h.value
}

// Take returns its number and forgets it.
func (h *Handle) Take() int32 {
	value := h.Use()
	h.value = 0
	return value
}

// TakeOrNil is Take for a handle that may be forgotten already.
func (h *Handle) TakeOrNil() int32 {
	value := h.value
	h.value = 0
	return value
}

// Set gives it another number.
func (h *Handle) Set(value int32) { h.value = value }

// Allocate returns memory that stays where it is until the pinner lets go. It holds no pointers that the collector looks at.
func Allocate(pinner *runtime.Pinner, size, align uintptr) unsafe.Pointer {
	if size == 0 {
		return nil
	}
	memory := unsafe.Pointer(unsafe.SliceData(make([]uint64, (size+7)/8)))
	pinner.Pin(memory)
	return memory
}

// What is lent to the adapter that takes WASI's place; its layout is the adapter's.
var shared struct {
	// Not 0 while the host may not be called: during a call to it, because it may be writing its answer just now (it calls
	// cabi_realloc for that, and the collector or the scheduler may run other goroutines in there), and between the calls to
	// the plugin, because it may be writing the arguments of the next.
	closed uint32
	_      [4 + 8 + 1024]byte
	line   [4096]byte
}

//go:wasmimport wasi_snapshot_preview1 runner_lend
func lend(memory unsafe.Pointer, size uint32)

func init() { lend(unsafe.Pointer(&shared), uint32(unsafe.Sizeof(shared))) }

// Lock comes before each call to the host.
func Lock() {
	for shared.closed != 0 {
		runtime.Gosched()
	}
	shared.closed = 1
}

// Unlock comes after it.
func Unlock() { shared.closed = 0 }

// Open begins a call to the plugin, once its arguments have been read.
func Open() { shared.closed = 0 }

// Close ends it, or the program's start.
func Close() {
	for shared.closed != 0 {
		runtime.Gosched()
	}
	shared.closed = 1
}

// What the host writes: kept until those who asked for it have read it. After that the collector keeps what is still in use.
var (
	// The chunk that small things are cut from comes last.
	kept   [][]uint64
	next   uintptr
	left   uintptr
	asking int
)

const (
	chunkSize = 64 << 10
	// Larger things have memory of their own.
	largest = 32 << 10
)

// Hold keeps what the host writes until the returned function is called.
func Hold() func() {
	asking++
	return release
}

func release() {
	asking--
	if asking == 0 && len(kept) > 1 {
		last := kept[len(kept)-1]
		clear(kept)
		kept = append(kept[:0], last)
	}
}

// Unpin says that a call's arguments have been read. They are released with the next answer, or not at all: an instance
// usually serves one call.
func Unpin() {}

//go:wasmexport cabi_realloc
func realloc(old unsafe.Pointer, oldSize, align, size uint32) unsafe.Pointer {
	memory := allocate(uintptr(size), uintptr(align))
	if old != nil {
		copy(unsafe.Slice((*byte)(memory), size), unsafe.Slice((*byte)(old), min(oldSize, size)))
	}
	return memory
}

func allocate(size, align uintptr) unsafe.Pointer {
	if size > largest {
		own := make([]uint64, (size+7)/8)
		kept = append([][]uint64{own}, kept...)
		return unsafe.Pointer(unsafe.SliceData(own))
	}
	skip := -next & (align - 1)
	if skip+size > left {
		chunk := make([]uint64, chunkSize/8)
		kept = append(kept, chunk)
		next, left, skip = uintptr(unsafe.Pointer(unsafe.SliceData(chunk))), chunkSize, 0
	}
	at := next + skip
	next, left = at+size, left-skip-size
	return unsafe.Pointer(at)
}
