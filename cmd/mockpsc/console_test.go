package main

import (
	"net/http"
	"strings"
	"testing"
)

// A mock that others reach has no console, unless somebody wants it so.
func TestOpenConsoleFlag(t *testing.T) {
	for _, tt := range []struct {
		name   string
		args   []string
		status int
	}{
		{"on this machine", nil, http.StatusOK},
		{"for others", []string{"-issuer", "http://psc.test.example" + realmPath}, http.StatusForbidden},
		{"for others, opened", []string{"-issuer", "http://psc.test.example" + realmPath, "-open-console"}, http.StatusOK},
	} {
		t.Run(tt.name, func(t *testing.T) {
			addr := freeAddr(t)
			var out output
			start(t, &out, append(tt.args, "-addr", addr)...)
			for _, path := range []string{"/_mock/", "/_mock/api/clock"} {
				status, text := page(t, "http://"+addr+path)
				if status != tt.status || status == http.StatusForbidden && !strings.Contains(text, "-open-console") {
					t.Errorf("%s: %d %.300s", path, status, text)
				}
			}
			if !strings.Contains(out.String(), "/_mock/\n") {
				t.Errorf("nobody is told where the console is:\n%s", out.String())
			}
		})
	}
}
