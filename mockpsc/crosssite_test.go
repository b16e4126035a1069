package mockpsc_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// A form posted from another site comes without our cookies, which are
// SameSite=Lax; the GET that it is redirected to has them.
func TestAFormFromAnotherSiteComesBackWithItsCookies(t *testing.T) {
	setup := func(t *testing.T) (rp *relyingParty, c *http.Client, end string) {
		mock, _ := newMockWithClock(t)
		rp = newRelyingParty(t, mock)
		c, _ = rp.signIn(t, "dr-dupont")
		return rp, c, mock.URL + issuerPath + "/protocol/openid-connect/logout"
	}
	post := func(t *testing.T, address string, form url.Values) string {
		t.Helper()
		resp, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).PostForm(address, form)
		if err != nil {
			t.Fatal(err)
		}
		body(t, resp)
		if resp.StatusCode != http.StatusSeeOther || len(resp.Cookies()) > 0 {
			t.Fatalf("got %d with %d cookies, want a redirect with none", resp.StatusCode, len(resp.Cookies()))
		}
		to, err := resp.Location()
		if err != nil {
			t.Fatal(err)
		}
		return to.String()
	}
	t.Run("a sign-out asks the person who is signed in", func(t *testing.T) {
		rp, c, end := setup(t)
		_, page := get(t, c, post(t, end, url.Values{"post_logout_redirect_uri": {rp.URL + "/bye"}, "client_id": {"carelink"}, "state": {"s"}}))
		if confirmIn(t, page); !strings.Contains(page, "Se déconnecter de Pro Santé Connect") || !strings.Contains(page, rp.URL+"/bye") {
			t.Errorf("shown %.300q", page)
		}
	})
	t.Run("an authorization request is answered for the person who is signed in", func(t *testing.T) {
		rp, c, _ := setup(t)
		address, query, _ := strings.Cut(rp.authURL(nil), "?")
		form, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		if _, text := get(t, c, post(t, address, form)); text != "back" {
			t.Errorf("came to %.200q", text)
		}
	})
}

func TestRequestsHideSecretsOfOddPathsToo(t *testing.T) {
	mock, _ := newMockWithClock(t)
	for _, path := range []string{"//_mock/phone/a-secret", "/x/../_mock/phone/a-secret", "/_mock//phone/a-secret", "/_mock/card/./a-secret"} {
		get(t, http.DefaultClient, mock.URL+path)
	}
	for _, r := range mock.Requests() {
		if strings.Contains(r.Path, "a-secret") {
			t.Errorf("%s is in the list of requests", r.Path)
		}
	}
}

func TestUserinfoTakesOneToken(t *testing.T) {
	mock, _ := newMockWithClock(t)
	rp := newRelyingParty(t, mock)
	_, tok := rp.signIn(t, "dr-dupont")
	req, err := http.NewRequest("POST", mock.URL+issuerPath+"/protocol/openid-connect/userinfo", strings.NewReader(url.Values{"access_token": {tok.AccessToken}}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Authorization", "Bearer "+tok.AccessToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if text := body(t, resp); resp.StatusCode != http.StatusBadRequest || !strings.Contains(text, "invalid_request") {
		t.Errorf("got %d %s", resp.StatusCode, text)
	}
}
