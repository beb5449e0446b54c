// Package decode reads settings: strictly, and with everything that is wrong, by its path.
package decode

import (
	"encoding"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Problem is one thing that is wrong.
type Problem struct{ Path, Message string }

// Into reads a JSON object into the struct (or map) that target points to. Fields that the object does not name keep their
// values. Names are those of encoding/json, but exact; unknown ones are problems, unless others know them.
func Into(text string, target any, others ...string) []Problem {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var tree any
	if err := decoder.Decode(&tree); err != nil {
		return []Problem{{"", "expected a JSON object: " + err.Error()}}
	}
	if _, err := decoder.Token(); err != io.EOF {
		return []Problem{{"", "expected one JSON object and nothing after it"}}
	}
	if _, ok := tree.(map[string]any); !ok {
		return []Problem{{"", "expected a JSON object, not " + shown(tree)}}
	}
	r := reader{others: others}
	r.read("", tree, reflect.ValueOf(target).Elem())
	return r.problems
}

type reader struct {
	problems []Problem
	others   []string
}

// Names are the names that a struct reads.
func Names(t reflect.Type) (names []string) {
	if t.Kind() == reflect.Struct {
		for _, field := range reflect.VisibleFields(t) {
			if name := nameOf(field); name != "" {
				names = append(names, name)
			}
		}
	}
	return names
}

func (r *reader) wrong(path, format string, args ...any) {
	r.problems = append(r.problems, Problem{path, fmt.Sprintf(format, args...)})
}

func (r *reader) read(path string, tree any, into reflect.Value) {
	if r.own(path, tree, into) {
		return
	}
	if tree == nil && into.Kind() != reflect.Pointer && into.Kind() != reflect.Interface {
		r.wrong(path, "expected %s, not null", expected(into.Type()))
		return
	}
	ok := false
	switch into.Kind() {
	case reflect.Pointer:
		if tree == nil {
			into.SetZero()
			return
		}
		value := reflect.New(into.Type().Elem())
		r.read(path, tree, value.Elem())
		into.Set(value)
		return
	case reflect.Interface:
		value, fits := plain(tree), into.NumMethod() == 0
		if fits && value != nil {
			into.Set(reflect.ValueOf(value))
		}
		ok = fits
	case reflect.Struct:
		var object map[string]any
		if object, ok = tree.(map[string]any); ok {
			r.structure(path, object, into)
		}
	case reflect.Map:
		var object map[string]any
		if object, ok = tree.(map[string]any); ok && into.Type().Key().Kind() == reflect.String {
			r.table(path, object, into)
		}
	case reflect.Slice:
		var list []any
		if list, ok = tree.([]any); ok {
			values := reflect.MakeSlice(into.Type(), len(list), len(list))
			for i, item := range list {
				r.read(path+"["+strconv.Itoa(i)+"]", item, values.Index(i))
			}
			into.Set(values)
		}
	case reflect.String:
		var text string
		if text, ok = tree.(string); ok {
			into.SetString(text)
		}
	case reflect.Bool:
		var value bool
		if value, ok = tree.(bool); ok {
			into.SetBool(value)
		}
	default:
		var number json.Number
		if number, ok = tree.(json.Number); ok {
			ok = setNumber(string(number), into)
		}
	}
	if !ok {
		r.wrong(path, "expected %s, not %s", expected(into.Type()), shown(tree))
	}
}

// own lets a type read itself that can.
func (r *reader) own(path string, tree any, into reflect.Value) bool {
	if !into.CanAddr() {
		return false
	}
	switch target := into.Addr().Interface().(type) {
	case json.Unmarshaler:
		text, err := json.Marshal(tree)
		if err == nil {
			err = target.UnmarshalJSON(text)
		}
		if err != nil {
			r.wrong(path, "%v", err)
		}
		return true
	case encoding.TextUnmarshaler:
		if text, ok := tree.(string); !ok {
			r.wrong(path, "expected a text, not %s", shown(tree))
		} else if err := target.UnmarshalText([]byte(text)); err != nil {
			r.wrong(path, "%v", err)
		}
		return true
	}
	return false
}

func (r *reader) structure(path string, object map[string]any, into reflect.Value) {
	fields := map[string][]int{}
	for _, field := range reflect.VisibleFields(into.Type()) {
		if name := nameOf(field); name != "" {
			fields[name] = field.Index
		}
	}
	known := Names(into.Type())
	if path == "" && len(r.others) > 0 {
		known = r.others
	}
	for _, name := range sorted(object) {
		inner := join(path, name)
		if index, ok := fields[name]; ok {
			r.read(inner, object[name], into.FieldByIndex(index))
		} else if !slices.Contains(known, name) {
			r.wrong(inner, "unknown setting, expected one of %s", strings.Join(known, ", "))
		}
	}
}

func (r *reader) table(path string, object map[string]any, into reflect.Value) {
	table := reflect.MakeMapWithSize(into.Type(), len(object))
	for _, name := range sorted(object) {
		value := reflect.New(into.Type().Elem()).Elem()
		r.read(join(path, name), object[name], value)
		table.SetMapIndex(reflect.ValueOf(name).Convert(into.Type().Key()), value)
	}
	into.Set(table)
}

// nameOf is a field's name in JSON; empty for one that is not read. Fields of embedded structs count as the outer one's.
func nameOf(field reflect.StructField) string {
	tag, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	if !field.IsExported() || tag == "-" || (field.Anonymous && tag == "" && field.Type.Kind() == reflect.Struct) {
		return ""
	}
	if tag == "" {
		return field.Name
	}
	return tag
}

func setNumber(text string, into reflect.Value) bool {
	switch {
	case into.CanInt():
		n, err := strconv.ParseInt(text, 10, into.Type().Bits())
		into.SetInt(n)
		return err == nil
	case into.CanUint():
		n, err := strconv.ParseUint(text, 10, into.Type().Bits())
		into.SetUint(n)
		return err == nil
	case into.CanFloat():
		n, err := strconv.ParseFloat(text, into.Type().Bits())
		into.SetFloat(n)
		return err == nil
	}
	return false
}

func expected(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Slice:
		return "a list"
	case reflect.String:
		return "a text"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64:
		return "a whole number"
	case reflect.Int8, reflect.Int16, reflect.Int32:
		most := int64(math.MaxInt64) >> (64 - t.Bits())
		return fmt.Sprintf("a whole number from %d to %d", -most-1, most)
	case reflect.Uint, reflect.Uint64, reflect.Uintptr:
		return "a whole number, 0 or more"
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		return fmt.Sprintf("a whole number from 0 to %d", uint64(math.MaxUint64)>>(64-t.Bits()))
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Pointer:
		return expected(t.Elem())
	}
	return "another type (a " + t.String() + " cannot be a setting)"
}

// plain makes ordinary numbers of those that were kept as text.
func plain(tree any) any {
	switch tree := tree.(type) {
	case json.Number:
		n, _ := tree.Float64()
		return n
	case []any:
		for i := range tree {
			tree[i] = plain(tree[i])
		}
	case map[string]any:
		for name := range tree {
			tree[name] = plain(tree[name])
		}
	}
	return tree
}

func shown(tree any) string {
	switch tree := tree.(type) {
	case map[string]any:
		return "an object"
	case []any:
		return "a list"
	case string:
		return strconv.Quote(tree)
	}
	text, _ := json.Marshal(tree)
	return string(text)
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func sorted(object map[string]any) []string {
	names := make([]string, 0, len(object))
	for name := range object {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
