package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"
)

// config is what the environment decides. Everything is off by default.
type config struct {
	version      string        // APP_VERSION: what the answers say
	pod          string        // HOSTNAME
	port         int           // APP_PORT: 8080
	tcpPort      int           // APP_TCP_PORT: where lines are answered; none by default
	startDelay   time.Duration // APP_START_DELAY: so long nothing listens
	readyDelay   time.Duration // APP_READY_DELAY: so long /readyz says no, after that
	neverReady   bool          // APP_NEVER_READY: /readyz always says no
	unhealthyAt  time.Duration // APP_UNHEALTHY_AFTER: then /healthz says no
	crashAfter   time.Duration // APP_CRASH_AFTER: the process ends with exit code 3
	crashMessage string        // APP_CRASH_MESSAGE: its last words, on standard error
	crash        bool          // APP_CRASH_AFTER is set: 0s crashes at once
	memoryMB     int           // APP_MEMORY_MB: so much is allocated and touched at the start
	fillDir      string        // APP_FILL_DIR: 8 MB are written into this directory at the start
	latency      time.Duration // APP_LATENCY: every answer takes so long
	errorRate    float64       // APP_ERROR_RATE: 0 to 1, the share of answers that are 500
	drain        time.Duration // APP_DRAIN: how long requests may go on after SIGTERM; 20s
	ignoreTerm   bool          // APP_IGNORE_TERM: SIGTERM is not heard
	readFile     string        // APP_READ_FILE: fails to start without this file
	requireEnv   string        // APP_REQUIRE_ENV: fails to start unless this variable is set
}

// parseConfig reads the environment; a value that means nothing is an error,
// not a default.
func parseConfig(getenv func(string) string) (config, error) {
	cfg := config{
		version:      getenv("APP_VERSION"),
		pod:          getenv("HOSTNAME"),
		crashMessage: getenv("APP_CRASH_MESSAGE"),
		readFile:     getenv("APP_READ_FILE"),
		requireEnv:   getenv("APP_REQUIRE_ENV"),
		fillDir:      getenv("APP_FILL_DIR"),
		port:         8080,
		drain:        20 * time.Second,
	}
	var errs []error
	read := func(name string, parse func(string) error) {
		if value := getenv(name); value != "" {
			if err := parse(value); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", name, err))
			}
		}
	}
	duration := func(name string, into *time.Duration) {
		read(name, func(value string) (err error) { *into, err = time.ParseDuration(value); return err })
	}
	boolean := func(name string, into *bool) {
		read(name, func(value string) (err error) { *into, err = strconv.ParseBool(value); return err })
	}
	integer := func(name string, into *int) {
		read(name, func(value string) (err error) { *into, err = strconv.Atoi(value); return err })
	}
	integer("APP_PORT", &cfg.port)
	integer("APP_TCP_PORT", &cfg.tcpPort)
	duration("APP_START_DELAY", &cfg.startDelay)
	duration("APP_READY_DELAY", &cfg.readyDelay)
	boolean("APP_NEVER_READY", &cfg.neverReady)
	duration("APP_UNHEALTHY_AFTER", &cfg.unhealthyAt)
	duration("APP_CRASH_AFTER", &cfg.crashAfter)
	cfg.crash = getenv("APP_CRASH_AFTER") != ""
	integer("APP_MEMORY_MB", &cfg.memoryMB)
	duration("APP_LATENCY", &cfg.latency)
	read("APP_ERROR_RATE", func(value string) (err error) { cfg.errorRate, err = strconv.ParseFloat(value, 64); return err })
	duration("APP_DRAIN", &cfg.drain)
	boolean("APP_IGNORE_TERM", &cfg.ignoreTerm)
	if cfg.requireEnv != "" && getenv(cfg.requireEnv) == "" {
		errs = append(errs, fmt.Errorf("the environment variable %s is required", cfg.requireEnv))
	}
	if cfg.readFile != "" {
		_, err := os.ReadFile(cfg.readFile)
		errs = append(errs, err)
	}
	return cfg, errors.Join(errs...)
}
