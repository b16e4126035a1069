package main

import (
	"fmt"
	"html/template"
	"strings"
	"time"
	_ "time/tzdata" // so that Paris is known on machines without a zone database
	"unicode"
)

// paris is the zone in which the pages tell the time, wherever the server is.
var paris = func() *time.Location {
	loc, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		panic(err) // cannot happen: the zone database is in the program
	}
	return loc
}()

var months = [...]string{"janvier", "février", "mars", "avril", "mai", "juin", "juillet",
	"août", "septembre", "octobre", "novembre", "décembre"}

// frenchDay writes the day of t as t has it: « 1er avril 2024 ». A birth date is
// a day without a zone and must not be moved to one.
func frenchDay(t time.Time) string {
	if t.IsZero() {
		return "non renseignée"
	}
	day := fmt.Sprint(t.Day())
	if t.Day() == 1 {
		day = "1er"
	}
	return fmt.Sprintf("%s %s %d", day, months[t.Month()-1], t.Year())
}

// frenchTime writes an instant in Paris time: « 22 novembre 2026 à 9 h 05 ».
func frenchTime(t time.Time) string {
	t = t.In(paris)
	return frenchDay(t) + " " + frenchClock(t)
}

func frenchClock(t time.Time) string { return fmt.Sprintf("à %d h %02d", t.Hour(), t.Minute()) }

// timeHTML is frenchTime for pages: the hour stays on one line.
func timeHTML(t time.Time) template.HTML {
	t = t.In(paris)
	return template.HTML(frenchDay(t) + ` <span class="nb">` + frenchClock(t) + `</span>`)
}

// age writes how old somebody born on that day is at the time now, by the date
// in Paris: in years, and in months under two years. Whoever was born on 29
// February is a year older on 1 March of a common year, and on 29 February of a
// leap year.
func age(born, now time.Time) string {
	today := now.In(paris)
	n := (today.Year()-born.Year())*12 + int(today.Month()-born.Month())
	if today.Day() < born.Day() {
		n--
	}
	switch {
	case born.IsZero() || n < 0:
		return "âge non renseigné"
	case n == 0:
		return "moins d'un mois"
	case n < 24:
		return fmt.Sprintf("%d mois", n)
	}
	return fmt.Sprintf("%d ans", n/12)
}

// grouped splits an RPPS number as people read it: 99999 001 011.
func grouped(rpps string) []string {
	if len(rpps) != 11 {
		return []string{rpps}
	}
	return []string{rpps[:5], rpps[5:8], rpps[8:]}
}

// plural writes a number with its noun: « 0 patient », « 1 patient », « 8 patients ».
func plural(n int, noun string) string {
	if n > 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

var unaccented = strings.NewReplacer("à", "a", "â", "a", "ä", "a", "á", "a", "ç", "c", "é", "e", "è", "e",
	"ê", "e", "ë", "e", "î", "i", "ï", "i", "í", "i", "ô", "o", "ö", "o", "ó", "o", "ù", "u", "û", "u",
	"ü", "u", "ú", "u", "ÿ", "y", "ñ", "n", "œ", "oe", "æ", "ae", "’", "'")

// folded returns the words of s without case, accents and punctuation, so that a
// search for « epopee » finds « L'ÉPOPÉE ».
func folded(s string) string {
	words := strings.FieldsFunc(unaccented.Replace(strings.ToLower(s)), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
	return strings.Join(words, " ")
}
