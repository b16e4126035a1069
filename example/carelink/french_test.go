package main

import (
	"strings"
	"testing"
	"time"
)

func TestAge(t *testing.T) {
	for _, tt := range []struct{ name, born, now, want string }{
		{"the day before a birthday", "1957-06-24", "2026-06-23T12:00:00Z", "68 ans"},
		{"a birthday", "1957-06-24", "2026-06-24T12:00:00Z", "69 ans"},
		{"a hundred years", "1926-05-17", "2026-05-17T12:00:00Z", "100 ans"},

		{"born on 29 February, 28 February of a common year", "1984-02-29", "2025-02-28T12:00:00Z", "40 ans"},
		{"born on 29 February, 1 March of a common year", "1984-02-29", "2025-03-01T12:00:00Z", "41 ans"},
		{"born on 29 February, 28 February of a leap year", "1984-02-29", "2028-02-28T12:00:00Z", "43 ans"},
		{"born on 29 February, on 29 February", "1984-02-29", "2028-02-29T12:00:00Z", "44 ans"},

		{"a child of under two years", "2024-04-01", "2026-03-31T12:00:00Z", "23 mois"},
		{"two years", "2024-04-01", "2026-04-01T12:00:00Z", "2 ans"},
		{"a month", "2026-01-31", "2026-03-01T12:00:00Z", "1 mois"},
		{"not a month yet", "2026-01-31", "2026-02-28T12:00:00Z", "moins d'un mois"},
		{"born today", "2026-02-28", "2026-02-28T12:00:00Z", "moins d'un mois"},

		{"already tomorrow in Paris", "1957-06-24", "2026-06-23T22:30:00Z", "69 ans"},
		{"not yet tomorrow in Paris", "1957-06-24", "2026-06-23T21:30:00Z", "68 ans"},

		{"no birth date", "", "2026-02-28T12:00:00Z", "âge non renseigné"},
		{"not born yet", "2027-01-01", "2026-02-28T12:00:00Z", "âge non renseigné"},
	} {
		born, _ := time.Parse(time.DateOnly, tt.born)
		if got := age(born, instant(tt.now)); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestFrenchDates(t *testing.T) {
	for _, tt := range []struct{ name, at, want string }{
		{"winter", "2026-11-22T08:05:00Z", "22 novembre 2026 à 9 h 05"},
		{"summer", "2026-07-14T08:05:00Z", "14 juillet 2026 à 10 h 05"},
		{"the first of a month", "2026-08-01T10:00:00Z", "1er août 2026 à 12 h 00"},
		{"another day in Paris", "2026-12-31T23:30:00Z", "1er janvier 2027 à 0 h 30"},
	} {
		if got := frenchTime(instant(tt.at)); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	born := time.Date(2024, 4, 1, 0, 0, 0, 0, time.UTC)
	if got := frenchDay(born); got != "1er avril 2024" {
		t.Errorf("a birth date: %q", got)
	}
}

func TestFolded(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"D'UTOPIE-L'ÉPOPÉE Lucie", "d utopie l epopee lucie"},
		{"O'REVE <test>", "o reve test"},
		{"SŒURETTE  Hélène", "soeurette helene"},
		{" - ", ""},
	} {
		if got := folded(tt.in); got != tt.want {
			t.Errorf("folded(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestGrouped(t *testing.T) {
	if got := strings.Join(grouped("99999001011"), " "); got != "99999 001 011" {
		t.Errorf("an RPPS number reads %q", got)
	}
	if got := strings.Join(grouped("12"), " "); got != "12" {
		t.Errorf("something else reads %q", got)
	}
}
