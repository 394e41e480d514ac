// Command app is the application that end-to-end tests release: a web server
// that says which version it is and misbehaves on demand. It needs nothing but
// itself: an image holds this one file.
//
// What a person may ask of it, at any time:
//
//	/                 the version and the pod, in the body and in headers; ?ms=
//	                  delays the answer, ?status= sets its status
//	/stream           a line every 100 ms (?every=ms) until ?lines= or forever,
//	                  and one that says goodbye when the program is told to end
//	/healthz          alive
//	/readyz           ready: after the slow start, until it is told to end
//
// A gRPC client gets an empty answer to whatever it calls, on the same port; on
// another port, a client that speaks no HTTP gets the version and the pod for each
// line that it sends.
//
// How the program behaves is in its environment; see config.
//
// As "app pause" it does nothing: a pod's first container, which keeps the
// others' namespaces. As "app stock" it is like a stock image of a web server:
// it starts as root, writes below /run and /var/cache, and takes port 80.
package main

import (
	"fmt"
	"log"
	"os"
)

func main() {
	log.SetFlags(log.LstdFlags | log.LUTC | log.Lmicroseconds)
	log.SetOutput(os.Stdout)
	mode := ""
	if len(os.Args) > 1 {
		mode = os.Args[1]
	}
	if mode == "pause" {
		pause()
		return
	}
	cfg, err := parseConfig(os.Getenv)
	if err == nil && mode == "stock" {
		cfg.port = 80
		err = prepareStock()
	}
	if err != nil {
		log.Printf("cannot start: %v", err)
		os.Exit(2)
	}
	if err := run(cfg); err != nil {
		log.Printf("failed: %v", err)
		os.Exit(1)
	}
}

// prepareStock does at its start what a stock web server does, and a read-only
// or unprivileged container refuses.
func prepareStock() error {
	if err := os.WriteFile("/run/app.pid", fmt.Appendln(nil, os.Getpid()), 0o644); err != nil {
		return err
	}
	const cache, worker = "/var/cache/app", 101
	if err := os.MkdirAll(cache, 0o700); err != nil {
		return err
	}
	return os.Chown(cache, worker, worker)
}
