package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/pscauth/pscauth/auth"
)

// patientList is "Mes patients", or why there are none for this person.
func (s *site) patientList(w http.ResponseWriter, r *http.Request) {
	me := session(r)
	switch {
	case me.TenantID == "":
		s.noTenant(w, r)
		return
	case !rightsOf(me).Identity:
		s.refuse(w, r, "CareLink ne prévoit pas encore de rôle pour votre profession. Demandez à l'administrateur de votre structure de vous rattacher.")
		return
	}
	search := strings.TrimSpace(r.URL.Query().Get("q"))
	if len(search) > 100 {
		search = strings.ToValidUTF8(search[:100], "")
	}
	all, err := s.data.patients(r.Context(), me.TenantID, "")
	if err != nil {
		s.broken(w, r, err)
		return
	}
	found := all
	if search != "" {
		if found, err = s.data.patients(r.Context(), me.TenantID, search); err != nil {
			s.broken(w, r, err)
			return
		}
	}
	s.show(w, r, http.StatusOK, "patients", page{Title: "Mes patients", Path: "/patients", Content: struct {
		Tenant   string
		Total    int
		Search   string
		Patients []patient
		Rights   rights
	}{me.TenantName, len(all), search, found, rightsOf(me)}})
}

// noTenant tells a person whom CareLink can place nowhere what PSC said of them.
func (s *site) noTenant(w http.ResponseWriter, r *http.Request) {
	v, err := s.data.visit(r.Context(), session(r))
	if err != nil {
		s.broken(w, r, err)
		return
	}
	p := page{Title: "Mes patients", Path: "/patients"}
	if len(v.Certified.Exercises) == 0 {
		p.Title = "Aucune situation professionnelle transmise"
		p.Content = message{
			Text: "Pro Santé Connect confirme votre identité mais ne transmet ni profession ni lieu d'exercice. " +
				"Vérifiez votre fiche auprès de votre ordre ou de votre employeur.",
			Link: "/me", LinkText: "Voir mon identité",
		}
	} else {
		places := "aucun lieu transmis"
		if names := v.Certified.places(); len(names) > 0 {
			places = strings.Join(names, ", ")
		}
		p.Content = message{
			Text: "Aucun cabinet connu de CareLink ne correspond à vos lieux d'exercice (" + places + "). " +
				"Demandez à l'administrateur de votre structure de vous rattacher.",
			Link: "/me", LinkText: "Voir mon identité",
		}
	}
	s.show(w, r, http.StatusOK, "message", p)
}

// refuse is the page for somebody whom CareLink knows and does not let do this.
func (s *site) refuse(w http.ResponseWriter, r *http.Request, why string) {
	s.show(w, r, http.StatusForbidden, "message", page{Title: "Vous êtes identifié, mais pas autorisé ici", Path: "/patients", Content: message{
		Text: "Bonjour " + session(r).Name() + ". " + why, Link: "/patients", LinkText: "Retour à mes patients",
	}})
}

// mine returns the patient of the path if they are of the visitor's tenant and
// the visitor may see patients. Otherwise it has answered, the same for whoever
// does not exist and whoever is somebody else's.
func (s *site) mine(w http.ResponseWriter, r *http.Request) (patient, bool) {
	me := session(r)
	p, err := s.data.patient(r.Context(), me.TenantID, pathID(r, "id"))
	switch {
	case err == nil && rightsOf(me).Identity:
		return p, true
	case err == nil || errors.Is(err, errNoPatient):
		s.show(w, r, http.StatusNotFound, "message", page{Title: "Patient introuvable", Path: "/patients", Content: message{
			Text: "Ce dossier n'existe pas, ou il appartient à un autre cabinet.", Link: "/patients", LinkText: "Retour à mes patients",
		}})
	default:
		s.broken(w, r, err)
	}
	return patient{}, false
}

// A record is what the page of a patient shows.
type record struct {
	Patient     patient
	Rights      rights
	Evaluations []evaluation
	Closed      string // why there are none to see
	Saved       *evaluation
	Form        form
}

// A form is a new evaluation as it was typed.
type form struct {
	Type, Score, Observations string
	Mistakes                  []mistake
}

// Fault returns what is wrong with a field; it is empty if nothing is.
func (f form) Fault(field string) mistake {
	for _, m := range f.Mistakes {
		if m.Field == field {
			return m
		}
	}
	return mistake{}
}

func (s *site) patientPage(w http.ResponseWriter, r *http.Request) {
	p, ok := s.mine(w, r)
	if !ok {
		return
	}
	me := session(r)
	rec := record{Patient: p}
	// After a form the address names what was saved. It is only believed of
	// one's own.
	if id, err := strconv.ParseInt(r.URL.Query().Get("enregistree"), 10, 64); err == nil && rightsOf(me).Evaluations {
		e, err := s.data.evaluation(r.Context(), me.TenantID, p.ID, id)
		if err == nil && e.AuthorID == me.UserID {
			rec.Saved = &e
		}
	}
	s.showRecord(w, r, http.StatusOK, rec)
}

func (s *site) showRecord(w http.ResponseWriter, r *http.Request, status int, rec record) {
	me := session(r)
	rec.Rights = rightsOf(me)
	if rec.Rights.Evaluations {
		var err error
		if rec.Evaluations, err = s.data.evaluations(r.Context(), me.TenantID, rec.Patient.ID); err != nil {
			s.broken(w, r, err)
			return
		}
	} else {
		rec.Closed = whyNoEvaluations(me)
	}
	if !rec.Rights.Treatment {
		rec.Patient.Treatment = "" // so that no template can show it
	}
	s.show(w, r, status, "patient", page{
		Title:   rec.Patient.Name() + ", " + age(rec.Patient.Born, s.now()),
		Fault:   len(rec.Form.Mistakes) > 0,
		Path:    "/patients",
		Content: rec,
	})
}

// evaluationsPage is the address to which the form is posted. Who follows it
// gets the evaluations, or the rule that keeps them closed.
func (s *site) evaluationsPage(w http.ResponseWriter, r *http.Request) {
	p, ok := s.mine(w, r)
	if !ok {
		return
	}
	if !rightsOf(session(r)).Evaluations {
		s.refuse(w, r, whyNoEvaluations(session(r)))
		return
	}
	w.Header().Set("Location", fmt.Sprintf("/patients/%d#evaluations", p.ID))
	w.WriteHeader(http.StatusSeeOther)
}

func (s *site) evaluationForm(w http.ResponseWriter, r *http.Request) {
	p, ok := s.mine(w, r)
	if !ok {
		return
	}
	me := session(r)
	if !rightsOf(me).Evaluations {
		s.refuse(w, r, whyNoEvaluations(me))
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := r.ParseForm(); err != nil {
		s.show(w, r, http.StatusBadRequest, "message", page{Title: "Envoi illisible", Path: "/patients", Content: message{
			Text: "Le formulaire n'a pas pu être lu. Rien n'a été enregistré.",
			Link: fmt.Sprintf("/patients/%d", p.ID), LinkText: "Retour au dossier",
		}})
		return
	}
	f, e := readForm(r.PostForm)
	if len(f.Mistakes) > 0 {
		s.showRecord(w, r, http.StatusUnprocessableEntity, record{Patient: p, Form: f})
		return
	}
	id, err := s.data.add(r.Context(), me.TenantID, p.ID, s.sign(me, e))
	if err != nil {
		s.broken(w, r, err)
		return
	}
	// See Other, so that a reload does not save it again.
	w.Header().Set("Location", fmt.Sprintf("/patients/%d?enregistree=%d#evaluations", p.ID, id))
	w.WriteHeader(http.StatusSeeOther)
}

// readForm reads an evaluation from a form. It comes back as it was typed.
func readForm(values url.Values) (form, evaluation) {
	// Browsers send line breaks as two characters, which nobody counts twice.
	observations := strings.ToValidUTF8(strings.ReplaceAll(values.Get("observations"), "\r\n", "\n"), "�")
	f := form{Type: values.Get("type"), Score: values.Get("score"), Observations: observations}
	e := evaluation{Type: f.Type, Observations: strings.TrimSpace(observations)}
	unreadable := false
	if text := strings.TrimSpace(f.Score); text != "" {
		n, err := strconv.Atoi(text)
		unreadable = err != nil
		e.Score = &n
	}
	f.Mistakes = e.mistakes()
	if unreadable && f.Fault("score").Field == "" {
		f.Mistakes = append(f.Mistakes, badScore)
	}
	return f, e
}

// me is "Mon identité".
func (s *site) me(w http.ResponseWriter, r *http.Request) {
	me := session(r)
	v, err := s.data.visit(r.Context(), me)
	if err != nil {
		s.broken(w, r, err)
		return
	}
	s.show(w, r, http.StatusOK, "me", page{Title: "Mon identité", Path: "/me", Content: struct {
		Session   auth.Session
		Certified certified
		Claims    []claim
	}{me, v.Certified, heldClaims(r, me)}})
}
