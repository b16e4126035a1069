package main

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
)

// A listener is one address for people, which may be two for the system:
// browsers take localhost for 127.0.0.1 or for [::1].
type listener struct {
	host  string
	port  int
	taken int // the port that was wanted and not free; 0 if it was
	all   []net.Listener
}

// nearby is how many ports are tried after one that is taken.
const nearby = 50

// listen opens addr. If its port is taken and may move, the next free one is
// used instead.
func listen(addr string, movable bool) (*listener, error) {
	host, service, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	port, err := net.LookupPort("tcp", service)
	if err != nil {
		return nil, faultf("Le port %q n'existe pas : %w", service, err)
	}
	l := &listener{host: host, port: port}
	err = l.open(port)
	switch {
	case !errors.Is(err, syscall.EADDRINUSE):
	case port == 0: // the port that 127.0.0.1 got is taken at [::1]
		for tries := 0; tries < nearby && errors.Is(err, syscall.EADDRINUSE); tries++ {
			err = l.open(0)
		}
	case !movable:
		return nil, faultf("Le port %d est pris. Arrêtez le programme qui l'occupe, ou choisissez une autre adresse (-addr, -mock-addr).", port)
	default:
		l.taken = port
		for next := port + 1; next <= port+nearby && errors.Is(err, syscall.EADDRINUSE); next++ {
			err = l.open(next)
		}
	}
	if err != nil {
		return nil, faultf("CareLink ne peut pas écouter à l'adresse %s : %w", addr, err)
	}
	return l, nil
}

// open listens at a port, 0 for any, on every address that the host stands for.
func (l *listener) open(port int) error {
	hosts := []string{l.host}
	if l.host == "localhost" {
		hosts = []string{"127.0.0.1", "::1"}
	}
	l.all = nil
	for _, host := range hosts {
		one, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if len(l.all) > 0 && err != nil && !errors.Is(err, syscall.EADDRINUSE) {
			continue // a machine without IPv6: 127.0.0.1 is enough
		}
		if err != nil {
			l.close()
			return err
		}
		l.all = append(l.all, one)
		port = one.Addr().(*net.TCPAddr).Port
	}
	l.port = port
	return nil
}

func (l *listener) close() {
	for _, one := range l.all {
		one.Close()
	}
}

// moved tells that the port is another than the one wanted, if it is.
func (l *listener) moved() []string {
	if l.taken == 0 {
		return nil
	}
	return []string{fmt.Sprintf("Le port %d est pris : j'utilise %d.", l.taken, l.port)}
}

// url is the address to type into a browser of this machine.
func (l *listener) url() string {
	return "http://" + net.JoinHostPort(l.host, strconv.Itoa(l.port))
}
