package mockpsc

import (
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The texts are not exported, so this one test looks from within: every key that
// a template or a file of ours names has a text, in both languages, with the
// same places to fill in.
func TestEveryTextIsThereInBothLanguages(t *testing.T) {
	var used []string
	files, err := fs.Glob(pageFiles, "pages/*.html")
	if err != nil || len(files) == 0 {
		t.Fatal(err, files)
	}
	for _, file := range files {
		text, err := pageFiles.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\.T "([a-z0-9_]+)"`).FindAllStringSubmatch(string(text), -1) {
			used = append(used, m[1])
		}
	}
	for _, state := range []ticketState{waiting, scanned, approved, refused, expired, blocked} {
		used = append(used, string(state))
	}
	for _, state := range []string{"blocked", "revoked", "not-activated"} {
		used = append(used, stateKey(byPhone, state), "state_ecps_"+strings.ReplaceAll(state, "-", "_"))
	}
	for _, state := range []string{"none", "expired", "blocked", "revoked"} {
		used = append(used, stateKey(byCard, state), "state_card_"+state)
	}
	for _, state := range []activationState{unscanned, choosing, chosen, activated, late, "over"} {
		used = append(used, "act_is_"+string(state))
	}
	for _, key := range used {
		if _, ok := words[key]; !ok {
			t.Errorf("no text for %q", key)
		}
	}
	place := regexp.MustCompile(`\{\w+\}`)
	for key, w := range words {
		if w[0] == "" || w[1] == "" {
			t.Errorf("%s: a language is missing", key)
		}
		fr, en := place.FindAllString(w[0], -1), place.FindAllString(w[1], -1)
		slices.Sort(fr)
		slices.Sort(en)
		if !slices.Equal(fr, en) {
			t.Errorf("%s: French fills in %v, English %v", key, fr, en)
		}
	}
}
