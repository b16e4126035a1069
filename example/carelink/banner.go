package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/pscauth/pscauth/mockpsc"
)

// invited are the people whom the terminal proposes, each with what one will
// see of them; {place} is where they work. Who they are, the mock says.
var invited = []struct{ persona, remark string }{
	{"dr-dupont", "{place}"},
	{"dr-martin", "{place} : autres patients"},
	{"dr-moreau", "deux lieux d'exercice"},
	{"inf-benali", "carte seulement"},
	{"pharma-girard", "identifié, mais pas autorisé partout"},
}

// banner tells the person at the terminal what is not as usual, where to go, and
// who can sign in.
func banner(w io.Writer, cfg config, notices []string) {
	for _, notice := range notices {
		fmt.Fprintln(w, notice)
	}
	if len(notices) > 0 {
		fmt.Fprintln(w)
	}
	line := func(what, value, note string) {
		if note != "" {
			value = fmt.Sprintf("%-21s   %s", value, note)
		}
		fmt.Fprintf(w, "%-29s %s\n", what, value)
	}
	line("CareLink (démonstration)", cfg.url, "← ouvrez cette adresse")
	if cfg.mock {
		line("Pro Santé Connect (simulé)", cfg.mockURL, "")
	} else {
		line("Pro Santé Connect", cfg.provider.Issuer, "")
	}
	line("Données", cfg.db, "(remise à zéro : -reset)")
	if cfg.mock {
		people := mockpsc.Personas()
		first := people[0] // the doctor of every example
		fmt.Fprintf(w, "\nQui peut se connecter (code e-CPS %s, code carte %s) :\n", first.ECPS.PIN, first.Card.PIN)
		for _, guest := range invited {
			for _, p := range people {
				if p.ID == guest.persona {
					who := p.Name + ", " + p.Profession
					fmt.Fprintf(w, "  %-13s  %-39s %s\n", p.ID, who, strings.ReplaceAll(guest.remark, "{place}", p.Place))
				}
			}
		}
		fmt.Fprintf(w, "  … tous : %s/\n", cfg.mockURL)
	}
	fmt.Fprintln(w, "Arrêter : Ctrl-C")
}
