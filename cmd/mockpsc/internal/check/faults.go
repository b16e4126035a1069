package check

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pscauth/pscauth/mockpsc"
)

// faults tries every fault that a sign-in can have, several at a time. The others
// come one by one: logout tokens, and what is the same to everybody.
func (c *checker) faults(ctx context.Context) {
	var slow, swift, logout, keys, metadata []mockpsc.Fault
	for _, f := range mockpsc.Faults() {
		late := strings.HasSuffix(f.Name, "-hanging") || strings.HasSuffix(f.Name, "-dripping")
		switch {
		case c.opt.Only != nil && !c.opt.Only(f.Name):
		case f.Where == "logout_token":
			logout = append(logout, f)
		case late && c.opt.Quick:
			c.skip(f.Where, "fault:"+f.Name, "-quick", "-quick")
		case f.Where == "metadata":
			metadata = append(metadata, f)
		case f.Where == "keys":
			keys = append(keys, f)
		case late:
			slow = append(slow, f)
		default:
			swift = append(swift, f)
		}
	}
	var wg sync.WaitGroup
	if c.opt.Parallel > 1 {
		for _, f := range slow {
			wg.Go(func() { c.fault(ctx, f) })
		}
	} else {
		swift = append(swift, slow...)
	}
	next := make(chan mockpsc.Fault)
	for range c.opt.Parallel {
		wg.Go(func() {
			for f := range next {
				c.fault(ctx, f)
			}
		})
	}
	for _, f := range swift {
		if ctx.Err() != nil {
			break
		}
		next <- f
	}
	close(next)
	wg.Wait()
	if !c.dead && len(c.recent) > 0 && c.witness()(aWhile) { // after the last
		c.running.Lock()
		if c.revive(ctx) {
			c.blame(ctx)
		}
		c.running.Unlock()
	}
	if c.dead {
		for _, f := range slices.Concat(logout, keys, metadata) {
			c.skip(f.Where, "fault:"+f.Name, "l'application s'est arrêtée", "the application has stopped")
		}
		return
	}
	c.recovers(ctx)
	c.logoutTokens(ctx, logout)
	if c.opt.Restart != "" && len(keys)+len(metadata) > 0 {
		err := c.restart(ctx)
		if err == nil && !c.enters(ctx) {
			err = errors.New("check: after -restart an honest sign-in fails")
		}
		if err != nil { // it is the command's fault, and none of the mock's would be tried
			for _, f := range slices.Concat(keys, metadata) {
				k := Case{ID: "fault:" + f.Name, Group: f.Where}
				k.hinder(err.Error(), err.Error())
				c.add(k)
			}
			return
		}
	}
	c.keys(ctx, keys)
	c.metadata(ctx, metadata)
}

// fault tries one. If the application is gone afterwards, it tries that one once
// more and alone, to know whether it was the cause.
func (c *checker) fault(ctx context.Context, f mockpsc.Fault) {
	c.running.RLock()
	if c.dead {
		c.running.RUnlock()
		k := Case{ID: "fault:" + f.Name, Group: f.Where}
		k.hinder("l'application s'est arrêtée", "the application has stopped")
		c.add(k)
		return
	}
	c.mu.Lock()
	silent := c.silent
	c.mu.Unlock()
	if silent >= 8 { // it would be a time-out or two for each
		c.running.RUnlock()
		k := Case{ID: "fault:" + f.Name, Group: f.Where}
		k.hinder("l'application ne répond plus", "the application no longer answers")
		c.add(k)
		return
	}
	k, ok, gone := c.faultOnce(ctx, f, 0)
	c.running.RUnlock()
	if !ok {
		return
	}
	if gone {
		c.running.Lock()
		defer c.running.Unlock()
		if c.revive(ctx) {
			if k, ok, gone = c.faultOnce(ctx, f, aWhile); !ok {
				return
			}
			if !gone {
				c.add(k)
				c.blame(ctx)
				return
			}
			c.revive(ctx)
		}
		k.crashed()
	}
	c.add(k)
	c.mu.Lock()
	c.recent = append(c.recent, f)
	c.mu.Unlock()
}

// crashed has a case say that the application stopped.
func (k *Case) crashed() {
	k.Status, k.hindered, k.Rule, k.Severity = failed, false, "crashes", serious
	k.Seen = words{"l'application s'est arrêtée", "the application has stopped"}
}

// blame looks among the faults tried last, each alone, for the one after which
// the application stopped: some stop only once they have answered. Called with
// c.running held.
func (c *checker) blame(ctx context.Context) {
	c.mu.Lock()
	suspects := c.recent[max(0, len(c.recent)-2*c.opt.Parallel):]
	c.recent = nil
	c.mu.Unlock()
	for _, f := range slices.Backward(suspects) {
		k, ok, gone := c.faultOnce(ctx, f, aWhile)
		if !ok || !gone {
			continue
		}
		k.crashed()
		c.mu.Lock()
		c.cases = slices.DeleteFunc(c.cases, func(old Case) bool { return old.ID == k.ID })
		c.mu.Unlock()
		c.add(k)
		if !c.revive(ctx) {
			return
		}
	}
}

// faultOnce tries a fault in a new browser, and then an honest sign-in in the
// same. It reports too whether the application stopped meanwhile, or in a while.
func (c *checker) faultOnce(ctx context.Context, f mockpsc.Fault, while time.Duration) (k Case, ok, gone bool) {
	earlier := c.witness()
	b := c.browser()
	way, err := b.signIn(ctx, c.begin, c.opt.Persona, f.Name)
	k, ok = c.judge(ctx, b, f, way, err)
	c.mu.Lock()
	if c.silent++; err == nil || way.end == nil || way.end.err == nil || !isTimeout(way.end.err) {
		c.silent = 0
	}
	c.mu.Unlock()
	gone = earlier(0)
	later := c.witness() // the earlier one may have got too old
	way, err = b.signIn(ctx, c.begin, c.opt.Persona)
	well := err == nil && c.like.isIn(b.look(ctx))
	if gone = later(while) || gone; !well && !limited(way.end) { // and not only put off
		c.mu.Lock()
		c.unwell = append(c.unwell, f.Name)
		c.mu.Unlock()
	}
	return k, ok, gone
}

// hinder has a case say why it could not be tried.
func (k *Case) hinder(fr, en string) {
	k.Status, k.hindered, k.Seen = skipped, true, words{fr, en}
}

var tooMany = words{"l'application répond 429, et veut plus d'une minute d'attente : lever sa limite de débit pendant l'épreuve",
	"the application answers 429, and wants more than a minute of waiting: lift its rate limit for the check"}

func limited(p *page) bool { return p != nil && p.err == nil && p.status == http.StatusTooManyRequests }

const markup = `<script>document.title="mockpsc"</script>`

// judge says what became of a sign-in with a fault.
func (c *checker) judge(ctx context.Context, b *browser, f mockpsc.Fault, way passage, err error) (Case, bool) {
	k := Case{ID: "fault:" + f.Name, Group: f.Where, Status: passed, How: f.Name}
	switch {
	case ctx.Err() != nil:
		return k, false
	case errors.Is(err, errNoWay):
		k.hinder("l'application ne mène plus au simulateur", "the application no longer leads to the mock")
		if limited(way.end) {
			k.hinder(tooMany.FR, tooMany.EN)
		}
		if f.Where == "metadata" {
			k.Status, k.hindered, k.Seen = passed, false, words{} // as it should
			c.broken(&k, way.end)
		}
		return k, true
	case err != nil:
		k.hinder(err.Error(), err.Error())
		return k, true
	case way.callback == nil:
		k.hinder("le simulateur refuse la demande : "+way.rule, "the mock refuses the request: "+way.rule)
		return k, true
	}
	seen := b.look(ctx)
	switch {
	case c.like.isIn(seen):
		k.Status, k.Rule, k.Severity = failed, kinOf(f.Name, f.Where).rule, f.Severity
		k.Seen = words{"une session s'est ouverte", "a session was opened"}
		if k.another = c.like.another(seen); k.another {
			k.Seen = words{"la session d'une autre personne s'est ouverte", "another person's session was opened"}
		}
	case c.patience.spent.Load() && (limited(way.end) || limited(seen.page)):
		k.hinder(tooMany.FR, tooMany.EN)
	case f.Name == "error-with-markup" && (way.end.err == nil && strings.Contains(string(way.end.body), markup)):
		k.Status, k.Rule, k.Severity = failed, "script-in-error", f.Severity
		k.Seen = words{"le script est dans la page", "the script is in the page"}
	case way.again && !f.MayRestart:
		k.Status, k.Rule, k.Severity = failed, "begins-again", advice
		k.Seen = words{"la connexion a recommencé", "the sign-in began again"}
	default:
		c.broken(&k, way.end)
		if k.Status == passed {
			c.broken(&k, seen.page)
		}
		if k.Status == passed && c.like.unclear(seen) {
			k.hinder("la page n'est ni celle d'une personne connectée ni celle de quelqu'un qui ne l'est pas : "+seen.String(),
				"the page is neither that of somebody signed in nor that of somebody who is not: "+seen.String())
		}
	}
	return k, true
}

// broken looks whether the application broke down rather than refuse.
func (c *checker) broken(k *Case, end *page) {
	switch {
	case end == nil:
	case end.err != nil && isTimeout(end.err):
		k.Status, k.Rule, k.Severity = failed, "hangs", minor
		k.Seen = words{fmt.Sprint("pas de réponse en ", c.opt.Timeout), fmt.Sprint("no answer within ", c.opt.Timeout)}
	case end.err != nil && c.ofMock(end.url):
	case end.err != nil:
		k.Status, k.Rule, k.Severity = failed, "breaks-down", minor
		k.Seen = words{"la connexion a été coupée", "the connection was broken"}
	case end.status == http.StatusInternalServerError:
		k.Status, k.Rule, k.Severity = failed, "breaks-down", minor
		k.Seen = words{"réponse 500", "answer 500"}
	}
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &t) && t.Timeout()
}

// recovers tries again, in peace, where an honest sign-in failed.
func (c *checker) recovers(ctx context.Context) {
	if len(c.unwell) == 0 {
		c.tried("after", "does-not-recover", false, "", "", "")
		return
	}
	well := c.enters(ctx)
	if !well { // it may have been told to wait
		select {
		case <-time.After(5 * time.Second):
		case <-ctx.Done():
			return
		}
		well = c.enters(ctx)
	}
	if !well && c.patience.spent.Load() {
		c.skip("after", "rule:does-not-recover", tooMany.FR, tooMany.EN)
		return
	}
	list := strings.Join(c.unwell, ", ")
	c.tried("after", "does-not-recover", !well, "une connexion honnête a échoué après : "+list, "an honest sign-in failed after: "+list, c.unwell[0])
}

// keys tries the lies about the keys. An application that keeps those it has
// read never sees them, unless it is restarted.
func (c *checker) keys(ctx context.Context, list []mockpsc.Fault) {
	for _, f := range list {
		if c.opt.Restart != "" {
			if err := c.restart(ctx); err != nil {
				c.skip(f.Where, "fault:"+f.Name, err.Error(), err.Error())
				continue
			}
		}
		b := c.browser()
		way, err := b.signIn(ctx, c.begin, c.opt.Persona, f.Name)
		k, ok := c.judge(ctx, b, f, way, err)
		if !ok {
			return
		}
		if err := c.unqueue(ctx); err != nil { // it may not have read them
			c.skip(f.Where, "fault:"+f.Name, err.Error(), err.Error())
			return
		}
		if k.Status == passed && c.opt.Restart == "" {
			k.Status = skipped
			k.Seen = words{"refusé, mais peut-être parce que l'application garde les clés qu'elle a lues : essayer avec -restart",
				"refused, but perhaps because the application keeps the keys that it has read: try with -restart"}
		}
		c.add(k)
	}
	if len(list) > 0 && c.opt.Restart == "" {
		c.patient(ctx)
	}
}

// patient waits until an application that was lied to about the keys has read
// them again.
func (c *checker) patient(ctx context.Context) {
	for range 14 {
		if c.enters(ctx) || c.patience.spent.Load() {
			return
		}
		select {
		case <-time.After(5 * time.Second):
		case <-ctx.Done():
			return
		}
	}
	c.tried("after", "does-not-recover", true, "une connexion honnête échoue encore une minute après des mensonges sur les clés",
		"an honest sign-in still fails a minute after lies about the keys", "keys-500")
}

// readings is how often the mock remembers that its metadata were read.
func (c *checker) readings(ctx context.Context) int {
	p := c.browser().step(ctx, http.MethodGet, c.base.ResolveReference(&url.URL{Path: "/_mock/api/requests"}), nil)
	return bytes.Count(p.body, []byte("openid-configuration"))
}

// metadata tries the lies about the metadata, which an application reads when it
// starts.
func (c *checker) metadata(ctx context.Context, list []mockpsc.Fault) {
	for _, f := range list {
		if c.opt.Restart == "" {
			c.skip(f.Where, "fault:"+f.Name, "l'application garde ce qu'elle a lu : il faut -restart", "the application keeps what it has read: -restart is needed")
			continue
		}
		before := c.readings(ctx)
		if err := c.queue(ctx, "", 100, f.Name); err != nil {
			c.skip(f.Where, "fault:"+f.Name, err.Error(), err.Error())
			continue
		}
		if err := c.restart(ctx); errors.Is(err, errNotUp) {
			// It reads them when it starts, and rightly does not.
			c.add(Case{ID: "fault:" + f.Name, Group: f.Where, Status: passed})
		} else if err != nil {
			k := Case{ID: "fault:" + f.Name, Group: f.Where}
			k.hinder(err.Error(), err.Error())
			c.add(k)
		} else {
			b := c.browser()
			way, err := b.signIn(ctx, c.begin, c.opt.Persona)
			k, ok := c.judge(ctx, b, f, way, err)
			if !ok {
				return
			}
			if c.readings(ctx) == before {
				k = Case{ID: k.ID, Group: k.Group, Status: skipped, Seen: words{"l'application ne lit pas les métadonnées", "the application does not read the metadata"}}
			}
			c.add(k)
		}
		if err := c.unqueue(ctx); err != nil {
			c.skip(f.Where, "fault:"+f.Name, err.Error(), err.Error())
			return
		}
	}
	if c.opt.Restart != "" && len(list) > 0 {
		if err := c.restart(ctx); err != nil || !c.enters(ctx) && !c.patience.spent.Load() {
			c.tried("after", "does-not-recover", true, "l'application ne repart pas après les métadonnées fausses", "the application does not start again after false metadata", c.opt.Restart)
		}
	}
}
