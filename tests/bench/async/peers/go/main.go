// R9 of suite R for Go: sync.Mutex between goroutines, alone and with a rival.
package main

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"
)

func alone(times int) float64 {
	var lock sync.Mutex
	count := 0
	start := time.Now()
	for i := 0; i < times; i++ {
		lock.Lock()
		count++
		lock.Unlock()
	}
	return time.Since(start).Seconds()
}

func rivals(times int) float64 {
	var lock sync.Mutex
	var all sync.WaitGroup
	start := time.Now()
	for r := 0; r < 2; r++ {
		all.Add(1)
		go func() {
			defer all.Done()
			for i := 0; i < times/2; i++ {
				lock.Lock()
				runtime.Gosched()
				lock.Unlock()
			}
		}()
	}
	all.Wait()
	return time.Since(start).Seconds()
}

func main() {
	if len(os.Args) < 2 || os.Args[1] != "R9" {
		fmt.Fprintln(os.Stderr, "only R9")
		os.Exit(2)
	}
	n, contended := 5000000, 1000000
	seconds, contendedSeconds := alone(n), rivals(contended)
	fmt.Printf("{\"test\":\"R9\",\"n\":%d,\"ns\":%g,\"contended_ns\":%g}\n",
		n, seconds/float64(n)*1e9, contendedSeconds/float64(contended)*1e9)
}
