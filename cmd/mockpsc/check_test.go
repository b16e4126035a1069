package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pscauth/pscauth/mockpsc"
)

func TestFaultsCommand(t *testing.T) {
	var text, asJSON strings.Builder
	if err := errors.Join(run(t.Context(), []string{"faults"}, &text), run(t.Context(), []string{"faults", "-json"}, &asJSON)); err != nil {
		t.Fatal(err)
	}
	var list []map[string]any
	if err := json.Unmarshal([]byte(asJSON.String()), &list); err != nil {
		t.Fatal(err)
	}
	all := mockpsc.Faults()
	if lines := strings.Count(text.String(), "\n"); lines != len(all) || len(list) != len(all) {
		t.Errorf("%d lines and %d rows of %d faults", lines, len(list), len(all))
	}
	for i, f := range all {
		for name, want := range map[string]any{"name": f.Name, "summary": f.Summary, "where": f.Where, "expect": f.Expect, "severity": f.Severity, "may_restart": f.MayRestart} {
			if list[i][name] != want {
				t.Errorf("%s: %s is %v, want %v", f.Name, name, list[i][name], want)
			}
		}
		if !strings.Contains(text.String(), f.Summary) {
			t.Errorf("%s: no sentence", f.Name)
		}
	}
}

// careLink starts the example with its mock, and returns the addresses of both.
func careLink(t *testing.T) (app, mock string) {
	t.Helper()
	dir := t.TempDir()
	bin := filepath.Join(dir, "carelink")
	if out, err := exec.Command("go", "build", "-o", bin, "github.com/pscauth/pscauth/example/carelink").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	_, port, _ := strings.Cut(freeAddr(t), ":")
	at, mockAt := "localhost:"+port, freeAddr(t)
	cmd := exec.Command(bin, "-addr", at, "-mock-addr", mockAt, "-db", filepath.Join(dir, "carelink.db"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
	})
	for range 200 {
		if resp, err := http.Get("http://" + at + "/"); err == nil {
			resp.Body.Close()
			return "http://" + at, "http://" + mockAt
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("CareLink does not start")
	return "", ""
}

func TestCareLinkIsClean(t *testing.T) {
	app, mock := careLink(t)
	junit := filepath.Join(t.TempDir(), "report.xml")
	args := []string{"check", "-mock", mock, "-signed-in", "/patients", "-junit", junit}
	if testing.Short() {
		args = append(args, "-quick")
	}
	var out strings.Builder
	if err := run(context.Background(), append(args, app+"/api/v1/auth/login"), &out); err != nil {
		t.Errorf("%v\n%s", err, out.String())
	}
	if !strings.Contains(out.String(), "Rien à redire.") || strings.Contains(out.String(), "[") {
		t.Errorf("not clean:\n%s", out.String())
	}
	written, err := os.ReadFile(junit)
	if err != nil || !strings.Contains(string(written), `failures="0"`) || !strings.Contains(string(written), `name="fault:expired"></testcase>`) {
		t.Errorf("JUnit: %v\n%.400s", err, written)
	}
}

func TestCheckEndsWithAStatus(t *testing.T) {
	app, mock := careLink(t)
	for _, tt := range []struct {
		name string
		args []string
		want string // of the error
	}{
		{"no address", []string{"-signed-in", "/patients"}, "check wants one address"},
		{"two addresses", []string{"-signed-in", "/patients", app, app}, "check wants one address"},
		{"another language", []string{"-signed-in", "/patients", "-lang", "de", app}, "fr or en"},
		{"no expression", []string{"-signed-in", "/patients", "-only", "(", app}, "-only"},
		{"no CA", []string{"-signed-in", "/patients", "-ca", os.DevNull, app}, "no certificate"},
		{"nowhere to write", []string{"-mock", mock, "-signed-in", "/patients", "-junit", t.TempDir(), app + "/api/v1/auth/login"}, "-junit"},
		{"no fault", []string{"-mock", mock, "-signed-in", "/patients", "-only", "^$", app + "/api/v1/auth/login"}, "-only matches no fault"},
	} {
		var out strings.Builder
		err := run(context.Background(), append([]string{"check"}, tt.args...), &out)
		if s := status(0); err == nil || errors.As(err, &s) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want an error with %q", tt.name, err, tt.want)
		}
	}
	// CareLink lends itself to nothing, so something careless ends with a status.
	mock = mockpsc.NewServer(t).URL
	careless := carelessApp(t, mock)
	for lang, verdict := range map[string]string{"fr": "Critique : quelqu'un peut entrer", "en": "Critical: somebody can get in"} {
		var out strings.Builder
		err := run(context.Background(), []string{"check", "-mock", mock, "-signed-in", "/me", "-quick", "-only", "^expired$", "-lang", lang, careless + "/login"}, &out)
		if err != status(3) || !strings.Contains(out.String(), verdict) {
			t.Errorf("-lang %s: got %v\n%s", lang, err, out.String())
		}
	}
}

// carelessApp opens a session for whoever comes to its callback.
func carelessApp(t *testing.T, mock string) string {
	t.Helper()
	mux := http.NewServeMux()
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) {
		q := url.Values{"client_id": {"carelink"}, "redirect_uri": {srv.URL + "/callback"}, "response_type": {"code"},
			"scope": {"openid scope_all"}, "acr_values": {"eidas1"}, "state": {rand.Text()}, "nonce": {rand.Text()}}
		http.Redirect(w, r, mock+"/auth?"+q.Encode(), http.StatusFound)
	})
	mux.HandleFunc("GET /callback", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "in", Value: rand.Text(), Path: "/"})
		http.Redirect(w, r, "/me", http.StatusSeeOther)
	})
	mux.HandleFunc("GET /me", func(w http.ResponseWriter, r *http.Request) {
		if _, err := r.Cookie("in"); err != nil {
			http.Redirect(w, r, "/login", http.StatusFound)
			return
		}
		io.WriteString(w, "Bonjour")
	})
	return srv.URL
}
