package auth_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/pscauth/pscauth/auth"
)

// BenchmarkSessionCheck compares a guarded request with the bare verification of
// the same token by go-jose, in one run.
func BenchmarkSessionCheck(b *testing.B) {
	w := newWorld(b)
	token := w.token("dr-dupont")
	b.Run("require", func(b *testing.B) {
		h := w.rp.Require(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		rec := httptest.NewRecorder()
		b.ReportAllocs()
		for b.Loop() {
			rec.Code = 200
			h.ServeHTTP(rec, r)
		}
		if rec.Code != 200 {
			b.Fatal(rec.Code)
		}
	})
	b.Run("go-jose", func(b *testing.B) {
		key := auth.SessionKey(w.rp)
		b.ReportAllocs()
		for b.Loop() {
			t, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.HS256})
			if err != nil {
				b.Fatal(err)
			}
			var c jwt.Claims
			var all map[string]any
			if err := t.Claims(key, &c, &all); err != nil {
				b.Fatal(err)
			}
			if err := c.Validate(jwt.Expected{Time: time.Now()}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
