package check

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"time"
)

// drills has Pro Santé Connect break down, where the mock can be told to.
func (c *checker) drills(ctx context.Context) {
	const group = "drill"
	for _, name := range []string{"outage", "maintenance", "slow-token"} {
		if c.dead {
			c.skip(group, "drill:"+name, "l'application s'est arrêtée", "the application has stopped")
			continue
		}
		if name == "slow-token" && c.opt.Quick {
			c.skip(group, "drill:"+name, "-quick", "-quick")
			continue
		}
		c.drill(ctx, group, name)
	}
}

func (c *checker) drill(ctx context.Context, group, name string) {
	inside, _ := c.in(ctx)
	if ctx.Err() != nil {
		return
	}
	if inside == nil {
		c.skip(group, "drill:"+name, "une connexion honnête échoue", "an honest sign-in fails")
		return
	}
	newcomer := c.browser()
	way, _ := newcomer.approach(ctx, c.begin, c.opt.Persona)
	if err := c.call(ctx, http.MethodPost, "/_mock/api/drill", map[string]string{"name": name}); err != nil {
		c.skip(group, "drill:"+name, err.Error(), err.Error())
		return
	}
	k := Case{ID: "drill:" + name, Group: group, Status: passed, How: "-drill " + name}
	stopped, began := c.witness(), time.Now()
	fail := func(fr, en string) {
		k.Status, k.Rule, k.Severity, k.Seen = failed, "provider-down", ruleByID["provider-down"].severity, words{fr, en}
	}
	if way.callback != nil { // back from the sign-in page when it happens
		ended := make(chan *page, 1)
		finish := func() { ended <- newcomer.finish(ctx, way.callback) }
		if c.opt.Parallel > 1 {
			go finish()
		} else { // it does not bear two at a time
			finish()
		}
		meanwhile := inside.look(ctx)
		if !c.like.isIn(meanwhile) {
			fail("qui était connecté ne l'est plus", "who was signed in no longer is")
		}
		switch p := <-ended; {
		case p.err != nil && isTimeout(p.err):
			fail(fmt.Sprint("le nouveau venu attend plus de ", c.opt.Timeout), fmt.Sprint("the newcomer waits for more than ", c.opt.Timeout))
		case p.err == nil && p.status == http.StatusInternalServerError:
			fail("le nouveau venu reçoit 500", "the newcomer gets 500")
		case name != "slow-token" && c.like.isIn(newcomer.look(ctx)):
			fail("le nouveau venu est entré", "the newcomer got in")
		}
	}
	// Interrupted or not, or nobody could sign in at the mock any more.
	if err := c.call(context.WithoutCancel(ctx), http.MethodPost, "/_mock/api/drill", map[string]string{"name": ""}); err != nil {
		fail(err.Error(), err.Error())
	}
	if c.crashes(ctx, stopped, began, aWhile) {
		k.crashed()
	}
	if k.Status == passed && !c.enters(ctx) && !c.patience.spent.Load() {
		fail("l'incident passé, une connexion honnête échoue", "the incident over, an honest sign-in fails")
	}
	c.add(k)
}

// queue has faults wait for the sign-in with this state or, without one, for the
// next count sign-ins of the application.
func (c *checker) queue(ctx context.Context, state string, count int, faults ...string) error {
	return c.call(ctx, http.MethodPost, "/_mock/api/faults", map[string]any{"client": c.client, "state": state, "count": count, "faults": faults})
}

func (c *checker) unqueue(ctx context.Context) error {
	return c.call(ctx, http.MethodDelete, "/_mock/api/faults?client="+url.QueryEscape(c.client), nil)
}

// call asks the mock's API for something.
func (c *checker) call(ctx context.Context, method, path string, body any) error {
	var text bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&text).Encode(body); err != nil {
			return fmt.Errorf("check: %w", err)
		}
	}
	at, err := c.base.Parse(path)
	if err != nil {
		return fmt.Errorf("check: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, c.opt.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, at.String(), &text)
	if err != nil {
		return fmt.Errorf("check: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("check: the mock's API: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		said, _ := io.ReadAll(io.LimitReader(resp.Body, 300))
		return fmt.Errorf("check: the mock's API answers %d: %s", resp.StatusCode, said)
	}
	return nil
}

// restart runs the command and waits until the application answers; errNotUp says
// that it does not, as is right where the metadata lie.
func (c *checker) restart(ctx context.Context) error {
	limit, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	// A file, and no pipe: what the command leaves running may write to it for ever.
	said, err := os.CreateTemp("", "mockpsc-restart")
	if err != nil {
		return fmt.Errorf("check: -restart: %w", err)
	}
	defer os.Remove(said.Name())
	defer said.Close()
	cmd := exec.CommandContext(limit, "sh", "-c", c.opt.Restart)
	cmd.Stdout, cmd.Stderr = said, said
	together(cmd)
	if err := cmd.Run(); err != nil {
		if limit.Err() != nil && ctx.Err() == nil {
			return errors.New("check: -restart: the command does not end within a minute; have it start the application in the background")
		}
		out := make([]byte, 200)
		n, _ := said.ReadAt(out, 0)
		return fmt.Errorf("check: -restart: %w: %s", err, out[:n])
	}
	began, heard := time.Now(), time.Now()
	for {
		p := c.browser().step(limit, http.MethodGet, c.app, nil)
		if p.err == nil {
			if c.startup == 0 {
				c.startup = time.Since(began)
			}
			return nil
		}
		if isTimeout(p.err) || c.listens() {
			heard = time.Now()
		}
		// Once it is known how long it takes, there is no need to wait a minute.
		if limit.Err() != nil || c.startup > 0 && time.Since(heard) > 5*time.Second+2*c.startup {
			return fmt.Errorf("%w: %w", errNotUp, p.err)
		}
		select {
		case <-limit.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
}

var errNotUp = errors.New("check: after -restart the application does not answer")
