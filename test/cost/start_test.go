//go:build bench

package cost_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcli"
	"github.com/switchback-dev/terraform-provider-switchback/test/bench"
)

// schemas are what providers of a protocol are asked for their schemas by.
var schemas = map[string]string{"5": "/tfplugin5.Provider/GetSchema", "6": "/tfplugin6.Provider/GetProviderSchema"}

// start starts a provider as a CLI does, and asks for its schema: how long that took,
// and the memory that the provider has then.
func start(ctx context.Context, program string) (took bench.Duration, idle int64, err error) {
	ctx, cancel := context.WithCancel(ctx)
	command := exec.CommandContext(ctx, program)
	command.Env = append(os.Environ(), "PLUGIN_PROTOCOL_VERSIONS=5,6",
		"TF_PLUGIN_MAGIC_COOKIE=d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2")
	command.WaitDelay = time.Second
	stdout, err := command.StdoutPipe()
	if err != nil {
		cancel()
		return 0, 0, err
	}
	began := time.Now()
	if err := command.Start(); err != nil {
		cancel()
		return 0, 0, err
	}
	defer func() {
		cancel()
		_ = command.Wait() // it is killed
	}()
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		return 0, 0, err
	}
	// Such as 1|6|unix|/tmp/plugin1234|grpc|
	said := strings.Split(strings.TrimSpace(line), "|")
	if len(said) < 5 || schemas[said[1]] == "" {
		return 0, 0, fmt.Errorf("it said %q", line)
	}
	if err := ask(ctx, said[2]+":"+said[3], schemas[said[1]]); err != nil {
		return 0, 0, err
	}
	return bench.Duration(time.Since(began)), testcli.Memory(command.Process.Pid, "VmRSS"), nil
}

// ask calls a method without arguments, and leaves the answer unread.
func ask(ctx context.Context, target, method string) error {
	connection, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	var answer []byte
	err = connection.Invoke(ctx, method, []byte(nil), &answer, grpc.ForceCodec(unread{}), grpc.MaxCallRecvMsgSize(1<<30))
	if err == nil && len(answer) == 0 {
		err = errors.New("it has no schema")
	}
	return errors.Join(err, connection.Close())
}

// unread leaves messages as they are.
type unread struct{}

func (unread) Name() string                  { return "unread" }
func (unread) Marshal(v any) ([]byte, error) { return v.([]byte), nil }
func (unread) Unmarshal(text []byte, v any) error {
	*v.(*[]byte) = text
	return nil
}
