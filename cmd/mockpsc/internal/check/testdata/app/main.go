// Command app is a small application that reads the metadata when it starts, and
// rightly does not start where they are another issuer's. It checks next to
// nothing of a sign-in.
package main

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"os"
	"sync"
)

func main() {
	at, mock, weak := os.Args[1], os.Args[2], os.Args[3]
	issuer := mock + "/auth/realms/esante-wallet"
	if weak != "no metadata" {
		resp, err := http.Get(issuer + "/.well-known/wallet-openid-configuration")
		if err != nil {
			log.Fatal(err)
		}
		var doc struct{ Issuer string }
		if err := json.NewDecoder(resp.Body).Decode(&doc); err != nil || doc.Issuer != issuer && weak != "any metadata" {
			log.Fatal("metadata: ", err, doc.Issuer)
		}
	}
	var sessions sync.Map
	mux := http.NewServeMux()
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) {
		log.Print("login") // what goes to a pipe without a reader would kill it
		state := rand.Text()
		http.SetCookie(w, &http.Cookie{Name: "state", Value: state, Path: "/", HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode})
		q := url.Values{"client_id": {"carelink"}, "redirect_uri": {"http://" + at + "/callback"}, "response_type": {"code"},
			"scope": {"openid scope_all"}, "acr_values": {"eidas1"}, "state": {state}, "nonce": {rand.Text()}}
		http.Redirect(w, r, mock+"/auth?"+q.Encode(), http.StatusFound)
	})
	mux.HandleFunc("GET /callback", func(w http.ResponseWriter, r *http.Request) {
		c, err := r.Cookie("state")
		if err != nil || c.Value != r.FormValue("state") || r.FormValue("code") == "" {
			http.Error(w, "non", http.StatusForbidden)
			return
		}
		id := rand.Text()
		sessions.Store(id, true)
		http.SetCookie(w, &http.Cookie{Name: "session", Value: id, Path: "/", HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode})
		http.Redirect(w, r, "/me", http.StatusSeeOther)
	})
	mux.HandleFunc("GET /me", func(w http.ResponseWriter, r *http.Request) {
		if c, err := r.Cookie("session"); err == nil {
			if _, ok := sessions.Load(c.Value); ok {
				fmt.Fprint(w, "Bonjour")
				return
			}
		}
		http.Redirect(w, r, "/login", http.StatusFound)
	})
	log.Fatal(http.ListenAndServe(at, mux))
}
