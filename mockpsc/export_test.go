package mockpsc

import "reflect"

// Kept counts what the server holds in each of its maps and lists, but for the
// people, who are as many as ever, the requests, which have their own bound, and
// the lies about keys, which the next sign-in replaces.
func (s *Server) Kept() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := map[string]int{}
	v := reflect.ValueOf(s).Elem()
	for i := range v.NumField() {
		field := v.Type().Field(i)
		switch kind := field.Type.Kind(); {
		case field.IsExported(), kind != reflect.Map && kind != reflect.Slice:
		case field.Name == "docs", field.Name == "people", field.Name == "requests", field.Name == "armed":
		default:
			kept[field.Name] = v.Field(i).Len()
		}
	}
	return kept
}

// Doors are the methods and paths of the console and its API.
func Doors() [][2]string {
	var list [][2]string
	for _, d := range doors() {
		list = append(list, [2]string{d.method, d.path})
	}
	return list
}
