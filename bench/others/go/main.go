// SPDX-License-Identifier: MIT

// The CSP micro benchmarks in Go, with goroutines and unbuffered channels: the rows of bench/micro, so that the two
// can stand in one table. One line a row: name, value, unit, with tabs between.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

// A row's benchmark does its thing n times and tells how long that took.
type benchmark func(n int) time.Duration

// Every connected process of commstime runs for ever; a round's network is abandoned when the round has been timed,
// its processes blocked for good.
func commstime(delta func(in <-chan int, outs [2]chan int)) benchmark {
	return func(n int) time.Duration {
		fromPrefix, toSucc, toConsume, fromSucc := make(chan int), make(chan int), make(chan int), make(chan int)
		go func() {
			fromPrefix <- 0
			for x := range fromSucc {
				fromPrefix <- x
			}
		}()
		go delta(fromPrefix, [2]chan int{toSucc, toConsume})
		go func() {
			for x := range toSucc {
				fromSucc <- x + 1
			}
		}()
		for i := 0; i < 1000; i++ {
			<-toConsume
		}
		start := time.Now()
		for i := 0; i < n; i++ {
			<-toConsume
		}
		return time.Since(start)
	}
}

func deltaSequential(in <-chan int, outs [2]chan int) {
	for x := range in {
		outs[0] <- x
		outs[1] <- x
	}
}

// A PAR of two outputs: one branch is started, the other runs here.
func deltaParallel(in <-chan int, outs [2]chan int) {
	var branch sync.WaitGroup
	for x := range in {
		branch.Add(1)
		go func(x int) {
			outs[0] <- x
			branch.Done()
		}(x)
		outs[1] <- x
		branch.Wait()
	}
}

// n hops, the last ones to the full round included in the time as well as in n: n is a multiple of the ring.
func ring(n int) time.Duration {
	const processes = 1000
	first := make(chan int)
	in := first
	for i := 1; i < processes; i++ {
		out := make(chan int)
		go func(in, out chan int) {
			for token := range in {
				out <- token
			}
			close(out)
		}(in, out)
		in = out
	}
	round := func() {
		first <- 1
		<-in
	}
	round()
	start := time.Now()
	for i := 0; i < n/processes; i++ {
		round()
	}
	elapsed := time.Since(start)
	close(first)
	return elapsed
}

// Go's select chooses at random among the ready, which is fair.
func alt8(n int) time.Duration {
	var c [8]chan int
	stop := make(chan struct{})
	for i := range c {
		c[i] = make(chan int)
		go func(out chan int) {
			for x := 0; ; x++ {
				select {
				case out <- x:
				case <-stop:
					return
				}
			}
		}(c[i])
	}
	start := time.Now()
	for i := 0; i < n; i++ {
		select {
		case <-c[0]:
		case <-c[1]:
		case <-c[2]:
		case <-c[3]:
		case <-c[4]:
		case <-c[5]:
		case <-c[6]:
		case <-c[7]:
		}
	}
	elapsed := time.Since(start)
	close(stop)
	return elapsed
}

func forkOneByOne(n int) time.Duration {
	var forks sync.WaitGroup
	start := time.Now()
	for i := 0; i < n; i++ {
		forks.Add(1)
		go forks.Done()
		forks.Wait()
	}
	return time.Since(start)
}

func forkAll(n int) time.Duration {
	var forks sync.WaitGroup
	start := time.Now()
	forks.Add(n)
	for i := 0; i < n; i++ {
		go forks.Done()
	}
	forks.Wait()
	return time.Since(start)
}

// Bytes of memory for each of n processes that wait on a channel of their own.
func blockedBytes(n int) float64 {
	channels := make([]chan int, n)
	before := residentBytes()
	for i := range channels {
		channels[i] = make(chan int)
		go func(in chan int) { <-in }(channels[i])
	}
	runtime.Gosched() // on one core: the others have run, and wait, when we are next
	bytes := residentBytes() - before
	for _, c := range channels {
		close(c)
	}
	return float64(bytes) / float64(n)
}

func residentBytes() int64 {
	runtime.GC()
	debug.FreeOSMemory()
	text, err := os.ReadFile("/proc/self/statm")
	check(err)
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	check(err)
	return pages * int64(os.Getpagesize())
}

func pingPong(cores []int) benchmark {
	return func(n int) time.Duration {
		ping, pong := make(chan int), make(chan int)
		go func() {
			lockToCore(cores[1])
			for x := range ping {
				pong <- x
			}
		}()
		return onCore(cores[0], func() time.Duration {
			start := time.Now()
			for i := 0; i < n; i++ {
				ping <- i
				<-pong
			}
			elapsed := time.Since(start)
			close(ping)
			return elapsed
		})
	}
}

// Messages flow one way, so the writer may run ahead: a channel with a buffer, which suits Go best here.
func stream(cores []int) benchmark {
	return func(n int) time.Duration {
		messages := make(chan int, 1024)
		go func() {
			lockToCore(cores[1])
			for i := 0; i < n; i++ {
				messages <- i
			}
			close(messages)
		}()
		return onCore(cores[0], func() time.Duration {
			<-messages
			start := time.Now()
			for range messages {
			}
			return time.Since(start)
		})
	}
}

func onCore(core int, run func() time.Duration) time.Duration {
	result := make(chan time.Duration)
	go func() {
		lockToCore(core)
		result <- run()
	}()
	return <-result
}

// The goroutine never unlocks, so its thread ends with it and its affinity goes nowhere else.
func lockToCore(core int) {
	runtime.LockOSThread()
	setAffinity(0, []int{core})
}

type cpuSet [16]uint64

func setAffinity(thread int, cores []int) {
	var set cpuSet
	for _, core := range cores {
		set[core/64] |= 1 << (core % 64)
	}
	_, _, e := syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, uintptr(thread), unsafe.Sizeof(set),
		uintptr(unsafe.Pointer(&set)))
	// ESRCH: a thread of the runtime that has just ended.
	if e != 0 && e != syscall.ESRCH {
		check(e)
	}
}

func allowedCores() (cores []int) {
	var set cpuSet
	_, _, e := syscall.RawSyscall(syscall.SYS_SCHED_GETAFFINITY, 0, unsafe.Sizeof(set), uintptr(unsafe.Pointer(&set)))
	if e != 0 {
		check(e)
	}
	for core := 0; core < len(set)*64; core++ {
		if set[core/64]&(1<<(core%64)) != 0 {
			cores = append(cores, core)
		}
	}
	return cores
}

// All threads of this program, and those they will start.
func useCores(cores []int) {
	runtime.GOMAXPROCS(len(cores))
	threads, err := os.ReadDir("/proc/self/task")
	check(err)
	for _, thread := range threads {
		id, err := strconv.Atoi(thread.Name())
		check(err)
		setAffinity(id, cores)
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	quick := flag.Bool("quick", false, "a tenth of the work")
	flag.Parse()
	scale := 1
	if *quick {
		scale = 10
	}
	row := func(name string, value float64, unit string) { fmt.Printf("%s\t%.4g\t%s\n", name, value, unit) }
	// Each is warmed up with a tenth, and timed.
	measure := func(b benchmark, n int) time.Duration {
		b(n / scale / 10)
		runtime.GC()
		return b(n / scale)
	}
	nsEach := func(name string, b benchmark, n, each int) {
		row(name, float64(measure(b, n).Nanoseconds())/float64(n/scale*each), "ns")
	}

	cores := allowedCores()
	useCores(cores[:1])
	// First, while the heap is small and no stack has been recycled.
	blocked := blockedBytes(1000000 / scale)
	nsEach("commstime sequential", commstime(deltaSequential), 1000000, 4)
	nsEach("commstime parallel", commstime(deltaParallel), 1000000, 4)
	nsEach("ring 1000", ring, 5000000, 1)
	nsEach("alt 8", alt8, 3000000, 1)
	nsEach("fork one by one", forkOneByOne, 3000000, 1)
	nsEach("fork all", forkAll, 1000000, 1)
	row("blocked bytes", blocked, "bytes")

	if len(cores) < 2 {
		fmt.Print("core ping-pong\t-\tns\ncore stream\t-\tmessages/s\n")
		return
	}
	useCores(cores[:2])
	nsEach("core ping-pong", pingPong(cores), 200000, 1)
	const messages = 5000000
	row("core stream", float64(messages/scale)/measure(stream(cores), messages).Seconds(), "messages/s")
}
