package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"time"
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

// serve answers at every listener until ctx ends.
func serve(ctx context.Context, handler http.Handler, config *tls.Config, listeners []net.Listener) error {
	srv := &http.Server{
		Handler:           handler,
		TLSConfig:         config,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
	ended := make(chan error, len(listeners))
	for _, l := range listeners {
		go func() {
			if config != nil {
				ended <- srv.ServeTLS(l, "", "")
				return
			}
			ended <- srv.Serve(l)
		}()
	}
	var failure error
	left := len(listeners)
	select {
	case err := <-ended:
		failure = fmt.Errorf("mockpsc: %w", err)
		left--
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	if err := srv.Shutdown(grace); err != nil {
		srv.Close() // somebody is still reading; nothing here is worth waiting for
	}
	for range left {
		<-ended
	}
	return failure
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
