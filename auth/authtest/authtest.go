// Package authtest tests any implementation of the interfaces that package auth
// is given: an app that keeps users or sign-ins in a place of its own calls
// [TestUserStore] or [TestSessionStore] from a test of its own.
//
//	func TestStore(t *testing.T) {
//		authtest.TestUserStore(t, func(t *testing.T) auth.UserStore { return newStore(t) })
//	}
//
// Run it with -race. The people in it are fictional.
package authtest

import (
	"fmt"
	"testing"
	"time"

	"github.com/pscauth/pscauth/auth/psc"
)

// explain prints what a case is for, once it has failed.
func explain(t *testing.T, why string) {
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(why)
		}
	})
}

// info reads a userinfo document.
func info(t *testing.T, document string) psc.UserInfo {
	t.Helper()
	u, err := psc.ParseUserInfo([]byte(document))
	if err != nil {
		t.Fatalf("a document of this test: %v", err)
	}
	return u
}

// person returns the nth of any number of people with an RPPS number.
func person(t *testing.T, n int) psc.UserInfo {
	t.Helper()
	for key := range 10 {
		id, err := psc.ParseNationalID(fmt.Sprintf("899998%05d%d", n, key))
		if err == nil {
			return psc.UserInfo{Subject: "f:x:" + string(id), NationalID: id, GivenName: "Jean", FamilyName: "DUPONT"}
		}
	}
	t.Fatalf("no RPPS number for %d", n)
	return psc.UserInfo{}
}

// noon is when the first thing happens. Its microseconds must not get lost;
// what a store may drop is below them.
var noon = time.Date(2026, 11, 22, 12, 0, 0, 123456000, time.UTC)
