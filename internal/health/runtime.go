package health

import "regexp"

// trouble is one thing that a kubelet or a runtime says of a container that it
// cannot configure, create or start, or of a probe that fails. Only the text
// tells; real ones are in runtime_test.go.
type trouble struct {
	pattern *regexp.Regexp
	cause   Cause  // where it is a more particular one
	class   Class  // where it is less sure than the cause usually is
	says    string // ends the sentence; ${1} is what the pattern found
	try     string // empty: the table's hint
}

// configTroubles are why a container cannot be configured.
var configTroubles = []trouble{
	{pattern: regexp.MustCompile(`(?i)failed to sync (secret|configmap) cache`), class: Patient, says: `: the node has not got a ${1} that it needs yet`, try: `see whether the node reaches the API server`},
	{pattern: regexp.MustCompile(`(?i)couldn't find key (\S+) in (Secret|ConfigMap) [^/\s]+/(\S+)`), says: `: ${2} "${3}" has no key "${1}"`, try: `add the key "${1}" to ${2} "${3}", or correct the reference`},
	{pattern: regexp.MustCompile(`(?i)\bsecrets? "([^"]+)" not found`), says: `: Secret "${1}" does not exist`, try: `create Secret "${1}" in namespace "NAMESPACE", or correct its name`},
	{pattern: regexp.MustCompile(`(?i)\bconfigmaps? "([^"]+)" not found`), says: `: ConfigMap "${1}" does not exist`, try: `create ConfigMap "${1}" in namespace "NAMESPACE", or correct its name`},
	{pattern: regexp.MustCompile(`(?i)image will run as root`), says: `: its image runs as root, and it must not`, try: `set run_as_user in security_context, or use an image that names a user`},
	{pattern: regexp.MustCompile(`(?i)non-numeric user \(([^)]*)\)`), says: `: its image runs as "${1}", of whom nobody knows that it is not root`, try: `set run_as_user in security_context to that user's number`},
	{pattern: regexp.MustCompile(`(?i)runAsUser breaks non-root policy`), says: `: it would run as root, and it must not`, try: `set run_as_user in security_context to another user than 0`},
}

// startTroubles are why a container cannot be created, or its program not be
// started. What the node is to blame for may pass.
var startTroubles = []trouble{
	{pattern: regexp.MustCompile(`(?i)deadline ?exceeded|i/o timeout|ttrpc: closed|is reserved for|dial unix|cannot allocate memory|resource temporarily unavailable|no space left on device`), class: Patient, says: `: the node's container runtime is in trouble`, try: `look at the node's container runtime, its memory and its disk`},
	{pattern: regexp.MustCompile(`(?i)exec format error`), cause: CauseExecFormat, says: `: its program is for another platform than the node's, or a script without a #! line`},
	{pattern: regexp.MustCompile(`(?i)no command specified|no command or entrypoint`), says: `: neither the image nor the configuration says which program to run`, try: `set command, or give the image an ENTRYPOINT`},
	{pattern: regexp.MustCompile(`(?i)chdir to cwd \("?([^")]*)"?\)`), says: `: its working directory "${1}" is not there, or closed to its user`, try: `correct the image's WORKDIR, or run_as_user`},
	{pattern: regexp.MustCompile("(?i)exec:? [\"`]([^\"`]+)[\"`]: .*permission denied|permission denied.*[\"`](/[^\"`]+)[\"`]"), cause: CauseContainerRun, says: `: "${1}${2}" may not be executed`, try: `make the program executable in the image (chmod +x), and for the user that it runs as`},
	{pattern: regexp.MustCompile("(?i)exec:? [\"`]([^\"`]+)[\"`]: .*is a directory"), cause: CauseContainerRun, says: `: "${1}" is a directory`, try: `name a program in command`},
	{pattern: regexp.MustCompile("(?i)exec:? [\"`]([^\"`]+)[\"`]: .*(?:no such file or directory|executable file not found)|executable file [\"`]([^\"`]+)[\"`] not found"), cause: CauseContainerRun, says: `: the image has no program "${1}${2}"`, try: `correct command, or put the program into the image; what follows a program belongs into args`},
	{pattern: regexp.MustCompile(`(?i)error mounting "[^"]*" to rootfs at "([^"]+)"|mount.*not a directory`), says: `: nothing can be mounted at "${1}"`, try: `see that volume_mounts has a directory where the image has one, and a file (sub_path) where it has a file`},
}

// lastWordsTroubles are what the runtime leaves in place of a log when it could
// not execute the program after all. Alone, it is sure; among the lines of a
// program that ran, it is what that one met.
var lastWordsTroubles = []trouble{
	{pattern: regexp.MustCompile("(?im)^.*(?:exec|cannot execute).*exec format error.*$"), cause: CauseExecFormat, says: `cannot be executed: its program is for another platform than the node's, or a script without a #! line`},
	{pattern: regexp.MustCompile("(?im)^(?:standard_init_linux\\.go:\\d+: )?exec (?:user process caused:? |[\"`]?(/[^\\s:\"`]+)[\"`]?: )\"?no such file or directory\"?$"), cause: CauseContainerRun, says: `cannot be executed: what its program needs to run is not in the image`, try: `see the script's #! line (the interpreter must be there, and the line must not end as on Windows), or link the program statically`},
	{pattern: regexp.MustCompile("(?im)^(?:standard_init_linux\\.go:\\d+: )?exec (?:user process caused:? |[\"`]?(/[^\\s:\"`]+)[\"`]?: )\"?permission denied\"?$"), cause: CauseContainerRun, says: `cannot be executed: it lacks the permission`, try: `make the program executable in the image (chmod +x), and for the user that it runs as`},
}

// probeTroubles are what a kubelet says of a probe that fails.
var probeTroubles = []trouble{
	{pattern: regexp.MustCompile(`(?i)statuscode: (40[13])\b`), says: `it answers ${1}`, try: `probe a path that needs no login`},
	{pattern: regexp.MustCompile(`(?i)statuscode: (404)\b`), says: `it answers ${1}`, try: `correct the probe's path: the application has nothing there`},
	{pattern: regexp.MustCompile(`(?i)statuscode: (400)\b`), says: `it answers ${1}`, try: `see whether the application wants HTTPS there (scheme), or another Host header`},
	{pattern: regexp.MustCompile(`(?i)statuscode: (405|406|410)\b`), says: `it answers ${1}`, try: `correct the probe's path: the application does not answer a GET there`},
	{pattern: regexp.MustCompile(`(?i)does not implement the grpc health protocol`), says: `it has no gRPC health service`, try: `register the service grpc.health.v1.Health in the application, or probe another port`},
	{pattern: regexp.MustCompile(`(?i)rpc error: code = NotFound\b`), says: `it does not know this gRPC service`, try: `correct the probe's service, or leave it out for the health of the whole server`},
	{pattern: regexp.MustCompile(`(?i)rpc error: code = (Unauthenticated|PermissionDenied)\b`), says: `it answers ${1}`, try: `let the application answer grpc.health.v1.Health without a login`},
	{pattern: regexp.MustCompile(`(?i)statuscode: (\d+)`), says: `it answers ${1}`, try: `the application itself says that it is not well: see its log for what it waits for`},
	{pattern: regexp.MustCompile(`(?i)dial tcp (?:\S+):(\d+): (?:connect: )?connection refused`), says: `nothing listens on port ${1}`, try: `see that the application listens on that port and on all addresses (0.0.0.0 or ::), and whether it is still starting`},
	{pattern: regexp.MustCompile(`(?i)server gave HTTP response to HTTPS client`), says: `it speaks no TLS`, try: `set the probe's scheme to HTTP`},
	{pattern: regexp.MustCompile(`(?i)malformed HTTP response|: EOF\b|connection reset by peer`), says: `it ends the connection without an answer`, try: `see whether the probe's port and scheme are those of the application's HTTP server`},
	{pattern: regexp.MustCompile(`(?i)command ".*" timed out|command timed out|command .* timed out`), says: `its command does not end in time`, try: `raise the probe's timeout_seconds, or make its command faster`},
	{pattern: regexp.MustCompile(`(?i)Client\.Timeout|deadline exceeded|i/o timeout|timeout: failed to connect|timeout: health rpc`), says: `it does not answer in time`, try: `raise the probe's timeout_seconds, and see what the application is busy with`},
	{pattern: regexp.MustCompile(`(?i)responded with "?(\w+)"?`), says: `it answers ${1}`, try: `the application itself says that it is not well: see its log for what it waits for`},
	{pattern: regexp.MustCompile(`(?i)executable file not found|no such file or directory`), says: `the image has no such command`, try: `correct the probe's command: it must be in the image`},
}

// find is the first trouble that a text tells of, with its words filled in.
func find(table []trouble, text string) *trouble {
	for _, t := range table {
		if at := t.pattern.FindStringSubmatchIndex(text); at != nil {
			t.says = string(t.pattern.ExpandString(nil, t.says, text, at))
			t.try = string(t.pattern.ExpandString(nil, t.try, text, at))
			return &t
		}
	}
	return nil
}

// wrapping is what the layers of a runtime put around the same error.
var wrapping = []*regexp.Regexp{
	regexp.MustCompile(`^Error: `),
	regexp.MustCompile(`(?i)\bfailed to create (?:containerd task|shim task): `),
	regexp.MustCompile(`(?i)\brpc error: code = \w+ desc = `),
	regexp.MustCompile(`(?i)\b(?:error|failed to generate container "[^"]*" spec): `),
	regexp.MustCompile(`(?i)\bfailed to generate spec: `),
	regexp.MustCompile(`(?i)\bOCI runtime create failed: `),
	regexp.MustCompile(`(?i)\brunc create failed: `),
	regexp.MustCompile(`(?i)\b(?:container_linux\.go:\d+: )?(?:unable to start|starting) container process(?: caused)?: `),
	regexp.MustCompile(`(?i)\b(?:failed to start container "[^"]*"|error response from daemon|container create failed): `),
	regexp.MustCompile(`: unknown$`),
}

// unwrapped is a runtime's error without what its layers put around it.
func unwrapped(text string) string {
	for before := ""; before != text; {
		before = text
		for _, w := range wrapping {
			text = w.ReplaceAllString(text, "")
		}
	}
	return text
}
