package mockpsc

import (
	"net/http"
	"time"
)

// A shift is how the time of a server differs from that of Now; nil: it does not.
type shift struct {
	ahead  time.Duration
	frozen time.Time // zero: it runs
}

// lastYear is after everything that a test needs, and before what JSON cannot write.
var lastYear = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)

func (c *shift) shift(now time.Time) time.Time {
	switch {
	case c == nil:
		return now
	case !c.frozen.IsZero():
		return c.frozen
	}
	return now.Add(c.ahead)
}

// freeze stops the time where it is.
func (s *Server) freeze() {
	s.driven.mu.Lock()
	defer s.driven.mu.Unlock()
	s.driven.clock.Store(&shift{frozen: s.now()})
}

// resume lets the time run on from where it stands.
func (s *Server) resumeClock() {
	s.driven.mu.Lock()
	defer s.driven.mu.Unlock()
	if c := s.driven.clock.Load(); c != nil && !c.frozen.IsZero() {
		s.driven.clock.Store(&shift{ahead: c.frozen.Sub(s.trueNow())})
	}
}

// advance moves the time on. It reports whether that is possible: time does not
// go back, for what has expired has been forgotten.
func (s *Server) advance(d time.Duration) bool {
	s.driven.mu.Lock()
	defer s.driven.mu.Unlock()
	if d <= 0 || d > lastYear.Sub(s.now()) {
		return false
	}
	next := shift{}
	if c := s.driven.clock.Load(); c != nil {
		next = *c
	}
	if next.frozen.IsZero() {
		next.ahead += d
	} else {
		next.frozen = next.frozen.Add(d)
	}
	s.driven.clock.Store(&next)
	return true
}

func (s *Server) isFrozen() bool {
	c := s.driven.clock.Load()
	return c != nil && !c.frozen.IsZero()
}

func (s *Server) apiClock(a *answer, r *http.Request) {
	a.document(http.StatusOK, struct {
		Now    time.Time `json:"now"`
		Frozen bool      `json:"frozen"`
	}{s.now(), s.isFrozen()})
}

func (s *Server) apiSetClock(a *answer, r *http.Request) {
	var ask struct {
		Freeze  bool   `json:"freeze"`
		Advance string `json:"advance"`
		Resume  bool   `json:"resume"`
	}
	if !a.read(r, &ask) {
		return
	}
	var d time.Duration
	if ask.Advance != "" {
		var err error
		if d, err = time.ParseDuration(ask.Advance); err != nil || d <= 0 {
			a.bad("advance must be a duration that is more than nothing, such as 10m or 36h: time does not go back")
			return
		}
	}
	if ask.Freeze == ask.Resume && ask.Advance == "" || ask.Freeze && ask.Resume {
		a.bad(`want {"freeze":true}, {"advance":"10m"} or {"resume":true}`)
		return
	}
	if d > 0 && !s.advance(d) {
		a.bad("advance: the clock ends in 2200")
		return
	}
	if ask.Freeze {
		s.freeze()
	}
	if ask.Resume {
		s.resumeClock()
	}
	s.apiClock(a, r)
}
