package testcluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// port is a port of the loopback interface that stays reserved while nobody
// listens on it: connections are refused, and no other program, and no other
// test, gets the port.
//
// A socket that is bound but does not listen holds it. Both it and the
// listeners ask for SO_REUSEPORT, without which only one of them could be
// bound; a port that the kernel chooses for another socket is never such one.
type port struct {
	address string // 127.0.0.1:port
	holder  int    // the socket's file descriptor
}

func reservePort() (*port, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil, err
	}
	unix.CloseOnExec(fd)
	loopback := &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
	err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	if err == nil {
		err = unix.Bind(fd, loopback)
	}
	if err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	bound, err := unix.Getsockname(fd)
	if err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	inet, ok := bound.(*unix.SockaddrInet4)
	if !ok {
		return nil, errors.Join(fmt.Errorf("bound to %T", bound), unix.Close(fd))
	}
	return &port{address: net.JoinHostPort("127.0.0.1", strconv.Itoa(inet.Port)), holder: fd}, nil
}

// listen listens on the port.
func (p *port) listen() (net.Listener, error) {
	config := net.ListenConfig{Control: func(_, _ string, conn syscall.RawConn) error {
		var failed error
		err := conn.Control(func(fd uintptr) {
			failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
		})
		return errors.Join(err, failed)
	}}
	return config.Listen(context.Background(), "tcp", p.address)
}

// release lets others have the port.
func (p *port) release() error { return unix.Close(p.holder) }
