package mockpsc_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/pscauth/pscauth/mockpsc"
)

// A test of an application, with one sign-in and every lie.
func ExampleNewServer() {
	newApp := func(providerURL string) *httptest.Server { // the application under test
		return httptest.NewServer(http.NotFoundHandler())
	}
	_ = func(t *testing.T) {
		p := mockpsc.NewServer(t)
		app := newApp(p.URL)
		defer app.Close()

		resp, err := p.SignIn(app.Client(), app.URL+"/login", "dr-dupont")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()

		for _, f := range mockpsc.Faults() {
			resp, err := p.SignIn(new(http.Client), app.URL+"/login", "dr-dupont", f.Name)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				t.Errorf("%s: the application should %s", f.Name, f.Expect)
			}
		}
	}
}

// An application that authenticates by a certificate instead of a secret.
func ExampleNewTLSServer() {
	newHandler := func(providerURL string, toProvider *http.Client) http.Handler { // the application under test
		return http.NotFoundHandler()
	}
	_ = func(t *testing.T) {
		p := mockpsc.NewTLSServer(t)
		app := httptest.NewUnstartedServer(nil)
		p.Clients = []mockpsc.Client{{
			ID: "agenda", TLSClientAuth: true,
			RedirectURIs: []string{"http://" + app.Listener.Addr().String() + "/callback"},
		}}
		app.Config.Handler = newHandler(p.URL, p.HTTPClient(p.ClientCertificate("agenda")))
		app.Start()
		defer app.Close()

		resp, err := p.SignIn(p.HTTPClient(), app.URL+"/login", "dr-dupont")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
}

// The zero value serves any application on this machine.
func ExampleServer() {
	_ = func() {
		log.Fatal(http.ListenAndServe("127.0.0.1:9090", new(mockpsc.Server)))
	}
}

// Declared applications have exact addresses.
func ExampleServer_Check() {
	s := &mockpsc.Server{
		Issuer: "https://psc.test.example/auth/realms/esante-wallet",
		Clients: []mockpsc.Client{{
			ID: "agenda", Secret: "a-secret", Name: "Agenda",
			RedirectURIs: []string{"http://agenda.example/callback"},
		}},
	}
	fmt.Println(s.Check())
	// Output: mockpsc: client "agenda", address "http://agenda.example/callback": http is for loopback hosts only: a code in clear text is anybody's
}

func ExamplePersonas() {
	for _, p := range mockpsc.Personas()[:2] {
		fmt.Printf("%-10s %s, %s – %s\n", p.ID, p.Name, p.Profession, p.Place)
	}
	// Output:
	// dr-dupont  Dr Jean DUPONT, médecin généraliste – Cabinet des Tilleuls
	// dr-martin  Dr Claire MARTIN, médecin généraliste – Cabinet du Moulin
}
