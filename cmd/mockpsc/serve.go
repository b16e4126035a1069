package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"time"

	"github.com/pscauth/pscauth/mockpsc"
)

func listen(addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("mockpsc: the port of %s is taken, perhaps by another mockpsc; stop that one or choose another with -addr", addr)
	}
	if err != nil {
		return nil, fmt.Errorf("mockpsc: %w", err)
	}
	return l, nil
}

// walletAddr is where to listen for a second host, if its port is another.
func walletAddr(wallet, addr string) string {
	u, err := url.Parse(wallet)
	host, port, err2 := net.SplitHostPort(addr)
	if err != nil || err2 != nil || u.Port() == "" || u.Port() == port {
		return ""
	}
	return net.JoinHostPort(host, u.Port())
}

// serve answers at every listener until ctx ends, and for phones at theirs, if
// there is one.
func serve(ctx context.Context, config *tls.Config, mock http.Handler, listeners []net.Listener, phone http.Handler, phones net.Listener) error {
	main, second := bounded(mock), bounded(phone)
	main.TLSConfig = config
	ended := make(chan error, len(listeners)+1)
	for _, l := range listeners {
		go func() {
			if config != nil {
				ended <- main.ServeTLS(l, "", "")
				return
			}
			ended <- main.Serve(l)
		}()
	}
	left := len(listeners)
	if phones != nil {
		left++
		go func() { ended <- second.Serve(phones) }()
	}
	var failure error
	select {
	case err := <-ended:
		failure = fmt.Errorf("mockpsc: %w", err)
		left--
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	for _, srv := range []*http.Server{main, second} {
		if err := srv.Shutdown(grace); err != nil {
			srv.Close() // somebody is still reading; nothing here is worth waiting for
		}
	}
	for range left {
		<-ended
	}
	return failure
}

// bounded is a server that nobody can hold up.
func bounded(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
}

// listenForPhones listens where PhoneURL says, if it says anything.
func listenForPhones(mock *mockpsc.Server, secure bool) (net.Listener, error) {
	if mock.PhoneURL == "" {
		return nil, nil
	}
	u, err := url.Parse(mock.PhoneURL) // Check has read it
	if err != nil {
		return nil, fmt.Errorf("mockpsc: -phone-url: %w", err)
	}
	port, config := u.Port(), (*tls.Config)(nil)
	if u.Scheme == "https" {
		if !secure {
			return nil, errors.New("mockpsc: -phone-url with https needs -tls")
		}
		if config, err = mock.TLSConfig(u.Hostname()); err != nil {
			return nil, err
		}
		config.ClientAuth = tls.NoClientCert // a phone would ask its owner for one
		port = cmp.Or(port, "443")
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(u.Hostname(), cmp.Or(port, "80")))
	if err != nil {
		return nil, fmt.Errorf("mockpsc: -phone-url %s must be an address of this machine and a free port: %w", mock.PhoneURL, err)
	}
	if config != nil {
		listener = tls.NewListener(listener, config)
	}
	return listener, nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
