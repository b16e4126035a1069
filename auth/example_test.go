package auth_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/pscauth/pscauth/auth"
	"github.com/pscauth/pscauth/auth/psc"
	"github.com/pscauth/pscauth/mockpsc"
	"github.com/pscauth/pscauth/store/sqlite"
)

// An app of two pages: one for everybody who is signed in, one for doctors.
func ExampleNew() {
	db, err := sqlite.Open(context.Background(), "app.db")
	if err != nil {
		panic(err)
	}
	defer db.Close()
	rp, err := auth.New(auth.Config{
		Provider:     psc.Sandbox,
		ClientID:     os.Getenv("PSC_CLIENT_ID"),
		ClientSecret: os.Getenv("PSC_CLIENT_SECRET"),
		RedirectURL:  "https://app.example/auth/callback",
		Secrets:      [][]byte{[]byte(os.Getenv("APP_SECRET"))},
		Users:        db,
		Sessions:     db,
		Authorize: func(_ context.Context, in auth.SignIn) (auth.Grant, error) {
			if in.UserInfo.Exercise().Profession != psc.Physician {
				return auth.Grant{}, &auth.Refusal{French: "Réservé aux médecins pendant l'essai.", English: "For doctors during the trial."}
			}
			return auth.Grant{Roles: []string{"clinician"}, TenantID: "tilleuls"}, nil
		},
	})
	if err != nil {
		fmt.Println(err) // every fault of the configuration, each with its field
		return
	}
	mux := http.NewServeMux()
	mux.Handle("/", rp.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, _ := auth.SessionFromContext(r.Context())
		fmt.Fprintf(w, "Bonjour %s, RPPS %s", s.Name(), s.RPPS)
	})))
	mux.Handle("/prescriptions", rp.Require(http.NotFoundHandler(), auth.HasProfession(psc.Physician)))
	http.ListenAndServe("localhost:8080", rp.Handler(mux))
}

// A test of an app signs in at the mock. The app's address is known before
// auth.New, because RedirectURL must name it.
func ExampleRelyingParty_Handler() {
	t := &testing.T{} // the test's own
	p := mockpsc.NewServer(t)
	app := httptest.NewUnstartedServer(nil)
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	db, err := sqlite.Open(context.Background(), filepath.Join(dir, "app.db"))
	if err != nil {
		panic(err)
	}
	defer db.Close()

	rp, err := auth.New(auth.Config{
		Provider:     psc.At(p.URL),
		ClientID:     "carelink",
		ClientSecret: "carelink-secret",
		RedirectURL:  "http://" + app.Listener.Addr().String() + "/auth/callback",
		Secrets:      [][]byte{testSecret},
		Users:        db,
		Sessions:     db,
		Logger:       quiet(),
	})
	if err != nil {
		panic(err)
	}
	app.Config.Handler = rp.Handler(rp.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, _ := auth.SessionFromContext(r.Context())
		fmt.Fprintf(w, "%s, RPPS %s, account %s", s.Name(), s.RPPS, s.UserID)
	})))
	app.Start()
	defer app.Close()

	resp, err := p.SignIn(app.Client(), app.URL+"/auth/login?return_to=/", "dr-dupont")
	if err != nil {
		panic(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	fmt.Println(string(body))
	// Output: Dr Jean DUPONT, RPPS 99999001011, account 1
}
