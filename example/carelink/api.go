package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/pscauth/pscauth/auth"
)

// maxBody is how many bytes an evaluation may come in: the observations, each
// character in the longest form that JSON or a form has for it, and the rest.
const maxBody = maxObservations*12 + 4<<10

// apiError is how the API says no, in the same words as package auth.
type apiError struct {
	Error     string `json:"error"`
	Message   string `json:"message"`
	Field     string `json:"field,omitempty"`
	Reference string `json:"reference,omitempty"`

	french, english string
}

func writeError(w http.ResponseWriter, r *http.Request, status int, e apiError) {
	e.Message = e.french
	w.Header().Set("Content-Language", "fr")
	if strings.HasPrefix(strings.ToLower(r.Header.Get("Accept-Language")), "en") {
		e.Message = e.english
		w.Header().Set("Content-Language", "en")
	}
	w.Header().Add("Vary", "Accept-Language")
	writeJSON(w, status, e)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // our own types
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	w.Write(append(text, '\n'))
}

func apiNotFound(w http.ResponseWriter, r *http.Request) {
	writeError(w, r, http.StatusNotFound, apiError{Error: "not_found",
		french: "Cette adresse de l'API n'existe pas.", english: "There is no such address in this API."})
}

// noPatient is the one answer for a patient who does not exist and for one of
// another practice.
func noPatient(w http.ResponseWriter, r *http.Request) {
	writeError(w, r, http.StatusNotFound, apiError{Error: "not_found",
		french:  "Ce dossier n'existe pas, ou il appartient à un autre cabinet.",
		english: "This record does not exist, or it belongs to another practice."})
}

// failAPI answers for an error of the data.
func (s *site) failAPI(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, errNoPatient) {
		noPatient(w, r)
		return
	}
	s.broken(w, r, err)
}

// session returns the session that Require has let pass.
func session(r *http.Request) auth.Session {
	s, ok := auth.SessionFromContext(r.Context())
	if !ok {
		panic("carelink: handler outside Require")
	}
	return s
}

// pathID reads a number from the path; what is not the number of a record, in
// the one way in which we write it, is the number of none.
func pathID(r *http.Request, name string) int64 {
	text := r.PathValue(name)
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 || strconv.FormatInt(n, 10) != text {
		return 0
	}
	return n
}

type apiPatient struct {
	ID             int64   `json:"id"`
	FirstName      string  `json:"first_name"`
	LastName       string  `json:"last_name"`
	BirthDate      *string `json:"birth_date"`
	LastEvaluation *string `json:"last_evaluation,omitempty"`
}

func (s *site) apiPatients(w http.ResponseWriter, r *http.Request) {
	me := session(r)
	list, err := s.data.patients(r.Context(), me.TenantID, "")
	if err != nil {
		s.broken(w, r, err)
		return
	}
	out := make([]apiPatient, len(list))
	for i, p := range list {
		out[i] = apiPatient{ID: p.ID, FirstName: p.FirstName, LastName: p.LastName}
		if !p.Born.IsZero() {
			day := p.Born.Format(time.DateOnly)
			out[i].BirthDate = &day
		}
		if !p.LastEvaluation.IsZero() && rightsOf(me).Evaluations {
			at := stamp(p.LastEvaluation)
			out[i].LastEvaluation = &at
		}
	}
	writeJSON(w, http.StatusOK, map[string]any{"tenant_id": me.TenantID, "patients": out})
}

type apiEvaluationOut struct {
	ID           int64  `json:"id"`
	Patient      int64  `json:"patient_id"`
	Type         string `json:"type"`
	Score        *int   `json:"score"`
	Observations string `json:"observations"`
	ToValidate   bool   `json:"to_validate"`
	Author       struct {
		ID         *string `json:"id"`
		Name       string  `json:"name"`
		Profession string  `json:"profession"`
	} `json:"author"`
	Date string `json:"date"`
}

func evaluationOut(patient int64, e evaluation) apiEvaluationOut {
	out := apiEvaluationOut{ID: e.ID, Patient: patient, Type: e.Type, Score: e.Score, Observations: e.Observations,
		ToValidate: e.ToValidate, Date: stamp(e.At)}
	if e.AuthorID != "" {
		out.Author.ID = &e.AuthorID
	}
	out.Author.Name, out.Author.Profession = e.AuthorName, e.AuthorProfession
	return out
}

func (s *site) apiEvaluations(w http.ResponseWriter, r *http.Request) {
	p, err := s.data.patient(r.Context(), session(r).TenantID, pathID(r, "id"))
	if err != nil {
		s.failAPI(w, r, err)
		return
	}
	list, err := s.data.evaluations(r.Context(), session(r).TenantID, p.ID)
	if err != nil {
		s.broken(w, r, err)
		return
	}
	out := make([]apiEvaluationOut, len(list))
	for i, e := range list {
		out[i] = evaluationOut(p.ID, e)
	}
	writeJSON(w, http.StatusOK, map[string]any{"patient_id": p.ID, "evaluations": out})
}

func (s *site) apiEvaluation(w http.ResponseWriter, r *http.Request) {
	patient := pathID(r, "id")
	e, err := s.data.evaluation(r.Context(), session(r).TenantID, patient, pathID(r, "evaluation"))
	if err != nil {
		s.failAPI(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, evaluationOut(patient, e))
}

func (s *site) apiAddEvaluation(w http.ResponseWriter, r *http.Request) {
	// Whose patient it is comes first: nobody learns from a 400 what a 404 hides.
	p, err := s.data.patient(r.Context(), session(r).TenantID, pathID(r, "id"))
	if err != nil {
		s.failAPI(w, r, err)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		var tooBig *http.MaxBytesError
		if errors.As(err, &tooBig) {
			writeError(w, r, http.StatusRequestEntityTooLarge, apiError{Error: "invalid_evaluation", Field: "observations",
				french: "La demande est trop longue.", english: "The request is too long."})
		}
		return // or the program has left
	}
	e, bad := readEvaluation(body)
	if bad == nil {
		if list := e.mistakes(); len(list) > 0 {
			bad = &list[0]
		}
	}
	if bad != nil {
		writeError(w, r, http.StatusBadRequest, apiError{Error: "invalid_evaluation", Field: bad.Field,
			french: bad.French, english: bad.English})
		return
	}
	e = s.sign(session(r), e)
	if e.ID, err = s.data.add(r.Context(), session(r).TenantID, p.ID, e); err != nil {
		s.failAPI(w, r, err)
		return
	}
	w.Header().Set("Location", fmt.Sprintf("/api/v1/patients/%d/evaluations/%d", p.ID, e.ID))
	writeJSON(w, http.StatusCreated, evaluationOut(p.ID, e))
}

// sign puts the author and the time to an evaluation, as they are now.
func (s *site) sign(me auth.Session, e evaluation) evaluation {
	e.AuthorID = me.UserID
	e.AuthorName = me.Name()
	e.AuthorProfession = professionOf(me)
	e.ToValidate = rightsOf(me).ToValidate
	e.At = s.now().Truncate(time.Second)
	return e
}

// readEvaluation reads {"type", "score", "observations"} and nothing else. It
// compares names exactly and refuses one that comes twice, where encoding/json
// would take "SCORE" for "score" and keep the last.
func readEvaluation(body []byte) (e evaluation, bad *mistake) {
	fault := func(field, french, english string) (evaluation, *mistake) {
		return evaluation{}, &mistake{field, french, english}
	}
	members, ok := members(body)
	if !ok {
		return fault("", "La demande n'est pas un objet JSON bien formé dont chaque champ figure une fois.",
			"The request is not a well-formed JSON object with each member once.")
	}
	for _, m := range members {
		null := bytes.Equal(m.value, []byte("null"))
		switch m.name {
		case "type":
			if err := json.Unmarshal(m.value, &e.Type); err != nil || null {
				return fault(m.name, "Choisissez un type.", "Choose a type.")
			}
		case "score":
			if err := json.Unmarshal(m.value, &e.Score); err != nil {
				return evaluation{}, &badScore
			}
		case "observations":
			if err := json.Unmarshal(m.value, &e.Observations); err != nil || null {
				return fault(m.name, "Les observations sont un texte.", "Observations are a text.")
			}
		default:
			return fault(m.name, "Ce champ n'existe pas.", "There is no such member.")
		}
	}
	return e, nil
}

type member struct {
	name  string
	value json.RawMessage
}

// members splits a JSON object into its members, in their order.
func members(body []byte) (list []member, ok bool) {
	dec := json.NewDecoder(bytes.NewReader(body))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') || !utf8.Valid(body) {
		return nil, false
	}
	for dec.More() {
		var m member
		t, err := dec.Token()
		if m.name, ok = t.(string); err != nil || !ok || dec.Decode(&m.value) != nil {
			return nil, false
		}
		if slices.ContainsFunc(list, func(other member) bool { return other.name == m.name }) {
			return nil, false
		}
		list = append(list, m)
	}
	if _, err := dec.Token(); err != nil { // the closing brace
		return nil, false
	}
	_, err := dec.Token()
	return list, err == io.EOF
}
