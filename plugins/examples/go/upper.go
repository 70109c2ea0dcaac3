// The example stage in Go: it sleeps a little, works on another thread, and answers its input (a
// JSON string) in upper case.
package main

// #include "shim.h"
import "C"

import (
	"runtime/cgo"
	"unsafe"
)

const (
	tokenNap  = 1
	tokenWork = 2
	napNs     = 3_000_000
)

// One call, from start to finish. The server keeps a handle to it, never a Go pointer.
type job struct {
	call  *C.fermata_call
	text  []byte
	upper []byte
}

// What an accepted or refused op means for the call.
func pending(status C.fermata_status) C.fermata_status {
	if status < 0 {
		return status
	}
	return C.FERMATA_PENDING
}

// A panic must not cross the boundary.
func guard(status *C.fermata_status) {
	if recover() != nil {
		*status = C.FERMATA_E_INTERNAL
	}
}

//export upperStart
func upperStart(inst unsafe.Pointer, call *C.fermata_call, text *C.uint8_t, size C.size_t,
	state *unsafe.Pointer) (status C.fermata_status) {
	defer guard(&status)
	j := &job{call: call, text: C.GoBytes(unsafe.Pointer(text), C.int(size))}
	// A handle is a number, which C carries as a pointer.
	*(*cgo.Handle)(unsafe.Pointer(state)) = cgo.NewHandle(j)
	return pending(C.shim_nap((*C.fermata_instance)(inst), call, tokenNap, napNs))
}

//export upperResume
func upperResume(state C.uintptr_t, kind C.uint32_t, result C.fermata_status) (status C.fermata_status) {
	defer guard(&status)
	j := cgo.Handle(state).Value().(*job)
	switch {
	case kind != C.FERMATA_EV_TIMER && kind != C.FERMATA_EV_BLOCKING:
		return C.FERMATA_PENDING // a later minor's
	case result < 0:
		return result // cancelled, or failed
	case kind == C.FERMATA_EV_TIMER:
		return pending(C.shim_offload(j.call, tokenWork))
	}
	return C.shim_answer(j.call, unsafe.Pointer(&j.upper[0]), C.size_t(len(j.upper)))
}

// On a thread of the server; the loop goes on meanwhile. Letters of escapes stay as they are.
//
//export upperWork
func upperWork(state C.uintptr_t) (status C.fermata_status) {
	defer guard(&status)
	j := cgo.Handle(state).Value().(*job)
	j.upper = make([]byte, len(j.text))
	escaped := false
	for i, c := range j.text {
		if !escaped && c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		escaped = !escaped && c == '\\'
		j.upper[i] = c
	}
	return C.FERMATA_OK
}

//export upperFinish
func upperFinish(state C.uintptr_t) {
	cgo.Handle(state).Delete()
}

func main() {}
