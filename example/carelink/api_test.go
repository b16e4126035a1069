package main

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestAPIPatients(t *testing.T) {
	d := start(t, newClock().now, somewhere(t)...)
	type patients struct {
		TenantID string `json:"tenant_id"`
		Patients []struct {
			ID             int
			FirstName      string  `json:"first_name"`
			LastName       string  `json:"last_name"`
			BirthDate      *string `json:"birth_date"`
			LastEvaluation *string `json:"last_evaluation"`
		}
	}
	b, _ := d.signedIn("inf-benali")
	var list patients
	a := b.api("GET", "/api/v1/patients", "").wantStatus(http.StatusOK)
	a.json(&list)
	if list.TenantID != "hopital" || len(list.Patients) != 6 || !strings.Contains(a.header.Get("Cache-Control"), "no-store") {
		t.Fatalf("%+v, %v", list, a.header)
	}
	for _, p := range list.Patients {
		switch p.ID {
		case 61:
			if p.FirstName != "Rose" || p.LastName != "FABLE" || p.BirthDate == nil || *p.BirthDate != "1957-06-24" || p.LastEvaluation == nil {
				t.Errorf("%+v", p)
			} else if _, err := time.Parse(time.RFC3339, *p.LastEvaluation); err != nil {
				t.Error(err)
			}
		case 64:
			if p.BirthDate != nil || p.LastEvaluation != nil {
				t.Errorf("nothing is known of 64, but: %+v", p)
			}
		}
	}

	secretary, _ := d.signedIn("agent-blanc")
	list = patients{}
	secretary.api("GET", "/api/v1/patients", "").wantStatus(http.StatusOK).json(&list)
	for _, p := range list.Patients {
		if p.LastEvaluation != nil {
			t.Errorf("a secretary learns when %d was evaluated", p.ID)
		}
	}

	outsider, _ := d.signedIn("mil-vidal")
	var e apiError
	outsider.api("GET", "/api/v1/patients", "").wantStatus(http.StatusForbidden).json(&e)
	if e.Error != "forbidden" || e.Message != insideFrench {
		t.Errorf("%+v", e)
	}
	var refused struct {
		Error    string
		LoginURL string `json:"login_url"`
	}
	d.browser().api("GET", "/api/v1/patients", "").wantStatus(http.StatusUnauthorized).json(&refused)
	if !strings.Contains(refused.LoginURL, "/api/v1/auth/login") {
		t.Errorf("%+v", refused)
	}
	for _, path := range []string{"/api/", "/api/v1/nothing", "/api/v1/auth/nothing"} {
		e = apiError{}
		b.api("GET", path, "").wantStatus(http.StatusNotFound).json(&e)
		if e.Error != "not_found" {
			t.Errorf("%s: %+v", path, e)
		}
	}
}

func TestAPIEvaluation(t *testing.T) {
	c := newClock()
	d := start(t, c.now, somewhere(t)...)
	b, _ := d.signedIn("dr-dupont")
	made := b.api("POST", "/api/v1/patients/42/evaluations", `{"type":"pain","score":3,"observations":"Va mieux."}`).wantStatus(http.StatusCreated)
	location := made.header.Get("Location")
	if !strings.HasPrefix(location, "/api/v1/patients/42/evaluations/") {
		t.Fatalf("Location %q", location)
	}
	var e apiEvaluationOut
	got := b.api("GET", location, "").wantStatus(http.StatusOK)
	got.json(&e)
	if got.body != made.body {
		t.Errorf("Location leads to %s, the answer was %s", got.body, made.body)
	}
	if e.Patient != 42 || e.Type != "pain" || e.Score == nil || *e.Score != 3 || e.Observations != "Va mieux." || e.ToValidate ||
		e.Author.ID == nil || e.Author.Name != "Dr Jean DUPONT" || e.Author.Profession != "Médecin" || e.Date != stamp(c.now()) {
		t.Errorf("%s", got.body)
	}
	var all struct{ Evaluations []apiEvaluationOut }
	b.api("GET", "/api/v1/patients/42/evaluations", "").wantStatus(http.StatusOK).json(&all)
	if len(all.Evaluations) != 4 || all.Evaluations[0].ID != e.ID || all.Evaluations[3].Author.ID != nil {
		t.Errorf("%+v", all)
	}
	b.api("GET", strings.Replace(location, "/42/", "/40/", 1), "").wantStatus(http.StatusNotFound)
	for _, method := range []string{"PUT", "PATCH", "DELETE"} {
		if a := b.api(method, location, `{}`); a.status < 400 {
			t.Errorf("%s %s: %d", method, location, a.status)
		}
	}

	before := d.row(`SELECT count(*) FROM evaluations`)
	for _, tt := range []struct{ name, body, field string }{
		{"no type", `{"score":3}`, "type"},
		{"an unknown type", `{"type":"fever","score":3}`, "type"},
		{"a type that is none", `{"type":3,"score":3}`, "type"},
		{"no score", `{"type":"pain"}`, "score"},
		{"an empty score", `{"type":"pain","score":null}`, "score"},
		{"a score beyond", `{"type":"pain","score":11}`, "score"},
		{"a negative score", `{"type":"pain","score":-1}`, "score"},
		{"a fraction", `{"type":"pain","score":3.5}`, "score"},
		{"a text for a score", `{"type":"pain","score":"3"}`, "score"},
		{"too long", `{"type":"follow_up","observations":"` + strings.Repeat("é", 2001) + `"}`, "observations"},
		{"observations that are none", `{"type":"follow_up","observations":["x"]}`, "observations"},
		{"another member", `{"type":"follow_up","author":"x"}`, "author"},
		{"another case", `{"Type":"follow_up"}`, "Type"},
		{"a member twice", `{"type":"follow_up","type":"pain","score":1}`, ""},
		{"no object", `[]`, ""},
		{"nothing", ``, ""},
		{"half an object", `{"type":"pain"`, ""},
		{"two objects", `{"type":"follow_up"}{}`, ""},
		{"invalid UTF-8", "{\"type\":\"follow_up\",\"observations\":\"\xff\"}", ""},
	} {
		var e apiError
		b.api("POST", "/api/v1/patients/42/evaluations", tt.body).wantStatus(http.StatusBadRequest).json(&e)
		if e.Error != "invalid_evaluation" || e.Field != tt.field || e.Message == "" {
			t.Errorf("%s: %+v, want field %q", tt.name, e, tt.field)
		}
	}
	b.api("POST", "/api/v1/patients/42/evaluations", `{"type":"pain","observations":"`+strings.Repeat("a", 60_000)+`"}`).wantStatus(http.StatusRequestEntityTooLarge)
	english := b.do(b.request("POST", "/api/v1/patients/42/evaluations", `{}`, "Accept", "application/json", "Accept-Language", "en", "Origin", b.url))
	if english.wantStatus(http.StatusBadRequest); !strings.Contains(english.body, "Choose a type.") {
		t.Errorf("in English: %s", english.body)
	}
	if after := d.row(`SELECT count(*) FROM evaluations`); after != before {
		t.Errorf("%d evaluations after the refusals, %d before", after, before)
	}
	b.api("POST", "/api/v1/patients/42/evaluations", `{"type":"follow_up","score":null}`).wantStatus(http.StatusCreated)
	b.api("POST", "/api/v1/patients/42/evaluations", ` {"observations":"`+strings.Repeat("é", 2000)+`","score":0,"type":"fall"} `).wantStatus(http.StatusCreated)
}

// asProgram asks for JSON, whatever for.
type asProgram struct{}

func (asProgram) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Accept", "application/json")
	return http.DefaultTransport.RoundTrip(r)
}

// TestBearer: a program signs a person in, keeps the token itself, and is served
// like a browser, by whatever name of this machine.
func TestBearer(t *testing.T) {
	d := start(t, newClock().now, somewhere(t)...)
	program := d.browser()
	program.client.Transport = asProgram{}
	var token struct {
		AccessToken string `json:"access_token"`
		User        struct {
			RPPS       string
			TenantName string `json:"tenant_name"`
		}
	}
	program.signIn("dr-dupont", "/").wantStatus(http.StatusOK).json(&token)
	if token.User.RPPS != "99999001011" || token.User.TenantName != "Cabinet médical des Tilleuls" {
		t.Errorf("%+v", token)
	}
	var list struct {
		TenantID string `json:"tenant_id"`
	}
	program.do(program.request("GET", "/api/v1/patients", "", "Authorization", "Bearer "+token.AccessToken)).wantStatus(http.StatusOK).json(&list)
	if list.TenantID != "tilleuls" {
		t.Errorf("%+v", list)
	}
	byAddress := program.request("GET", "/api/v1/patients", "", "Authorization", "Bearer "+token.AccessToken)
	byAddress.URL.Host = strings.Replace(byAddress.URL.Host, "localhost", "127.0.0.1", 1)
	program.do(byAddress).wantStatus(http.StatusOK)
	program.do(program.request("GET", "/me", "", "Authorization", "Bearer "+token.AccessToken)).wantStatus(http.StatusOK).want("given_name Jean prénom")
	program.do(program.request("GET", "/api/v1/patients", "")).wantStatus(http.StatusUnauthorized)
	program.do(program.request("GET", "/api/v1/patients", "", "Authorization", "Bearer x")).wantStatus(http.StatusUnauthorized)
}
