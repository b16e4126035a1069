package check

import (
	"cmp"
	"context"
	"crypto/tls"
	"net"
	"time"
)

// aWhile is how long an application may take to stop after it has answered.
const aWhile = 200 * time.Millisecond

// watched tries some rules. If the application stops meanwhile, which of them it
// was is not looked into.
func (c *checker) watched(ctx context.Context, group string, try func(context.Context), while time.Duration) {
	if c.dead {
		return
	}
	stopped, began := c.witness(), time.Now()
	try(ctx)
	if c.crashes(ctx, stopped, began, while) {
		c.tried(group, "crashes", true, "l'application s'est arrêtée", "the application has stopped", "")
	}
}

// crashes reports whether the application has stopped since then, and has it come
// back.
func (c *checker) crashes(ctx context.Context, stopped func(time.Duration) bool, began time.Time, while time.Duration) bool {
	if !stopped(while) {
		return false
	}
	took, down := time.Since(began), !c.listens()
	c.running.Lock()
	defer c.running.Unlock()
	return !c.revive(ctx) || down || took < c.silence
}

// witness opens a connection that ends with the application, however soon
// somebody starts that again. What it returns waits for that, for a while. Where
// the application does not bear two at a time, it only looks whether it is there.
func (c *checker) witness() (stopped func(time.Duration) bool) {
	if c.opt.Parallel == 1 {
		return func(while time.Duration) bool { time.Sleep(while); return !c.listens() }
	}
	conn, err := c.dial()
	opened := time.Now()
	return func(while time.Duration) bool {
		if err != nil {
			return true
		}
		defer conn.Close()
		conn.SetReadDeadline(time.Now().Add(max(while, time.Millisecond)))
		_, err := conn.Read(make([]byte, 1))
		// Later it may have been closed because it is silent.
		return err != nil && !isTimeout(err) && time.Since(opened) < c.silence || !c.listens()
	}
}

// listens reports whether anything is at the application's address.
func (c *checker) listens() bool {
	conn, err := c.dial()
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

func (c *checker) dial() (net.Conn, error) {
	d := &net.Dialer{Timeout: 2 * time.Second}
	port := c.app.Port()
	if c.app.Scheme == "https" { // with a handshake, or its log is full of those that failed
		return tls.DialWithDialer(d, "tcp", net.JoinHostPort(c.app.Hostname(), cmp.Or(port, "443")), &tls.Config{InsecureSkipVerify: true}) // whoever it is
	}
	return d.Dial("tcp", net.JoinHostPort(c.app.Hostname(), cmp.Or(port, "80")))
}

// revive has the application come back and stay: what others did to it may take
// it down once more. Called with c.running held.
func (c *checker) revive(ctx context.Context) bool {
	for began := time.Now(); time.Since(began) < 10*time.Second; {
		if !c.comesBack(ctx) {
			break
		}
		if !c.witness()(aWhile) {
			c.measure()
			return true
		}
	}
	c.dead = true
	return false
}

// measure finds out, once, how long the application bears a connection that says
// nothing: some close it within a second, and have not stopped.
func (c *checker) measure() {
	if c.measured || c.opt.Parallel == 1 {
		return
	}
	c.measured = true
	conn, err := c.dial()
	if err != nil {
		return
	}
	defer conn.Close()
	opened := time.Now()
	conn.SetReadDeadline(opened.Add(c.silence))
	if _, err := conn.Read(make([]byte, 1)); !isTimeout(err) {
		c.silence = time.Since(opened) * 3 / 4
	}
}

// comesBack waits for the application, started again by -restart or by whoever
// watches over it.
func (c *checker) comesBack(ctx context.Context) bool {
	if c.listens() { // another has waited already
		return true
	}
	if c.opt.Restart != "" {
		return c.restart(ctx) == nil
	}
	for range 50 {
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return false
		}
		if c.listens() {
			return true
		}
	}
	return false
}
