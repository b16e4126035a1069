package main

import (
	"bufio"
	"io"
	"net"
	"net/http"
)

// A wire is one connection of one person at a time. It takes half the processor
// time of http.Transport, whose two goroutines for each connection would be
// measured with every provider; what it sends is the same.
type wire struct {
	conn net.Conn
	r    *bufio.Reader
	w    *bufio.Writer
}

func (t *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	if t.conn != nil {
		if resp, err := t.ask(req); err == nil {
			return resp, nil
		}
		t.close() // the provider had closed it meanwhile
		if req.GetBody != nil {
			body, err := req.GetBody()
			if err != nil {
				return nil, err
			}
			req.Body = body
		}
	}
	conn, err := (&net.Dialer{}).DialContext(req.Context(), "tcp", req.URL.Host)
	if err != nil {
		return nil, err
	}
	t.conn, t.r, t.w = conn, bufio.NewReaderSize(conn, 64<<10), bufio.NewWriter(conn)
	return t.ask(req)
}

func (t *wire) ask(req *http.Request) (*http.Response, error) {
	if deadline, ok := req.Context().Deadline(); ok {
		t.conn.SetDeadline(deadline)
	}
	if err := req.Write(t.w); err != nil {
		return nil, err
	}
	if err := t.w.Flush(); err != nil {
		return nil, err
	}
	resp, err := http.ReadResponse(t.r, req)
	if err != nil {
		return nil, err
	}
	if resp.Close {
		resp.Body = lastBody{resp.Body, t}
	}
	return resp, nil
}

func (t *wire) close() {
	if t.conn != nil {
		t.conn.Close()
		t.conn = nil
	}
}

// lastBody is that of an answer after which the provider closes.
type lastBody struct {
	io.ReadCloser
	t *wire
}

func (b lastBody) Close() error {
	err := b.ReadCloser.Close()
	b.t.close()
	return err
}
