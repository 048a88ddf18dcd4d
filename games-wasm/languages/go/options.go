package ludus

import (
	"strconv"
	"strings"
	"unicode/utf16"
)

// Options are what the recipe chose. The host has checked them against the manifest's schema.
type Options struct {
	// The JSON text of each value.
	values map[string]string
}

// Int is a whole number, or this default where the option is missing.
func (options Options) Int(name string, otherwise int) int {
	return int(options.Float(name, float64(otherwise)))
}

// Float is a number, or this default where the option is missing.
func (options Options) Float(name string, otherwise float64) float64 {
	text, there := options.values[name]
	if !there {
		return otherwise
	}
	number, err := strconv.ParseFloat(text, 64)
	if err != nil {
		panic("the option " + name + " is no number: " + text)
	}
	return number
}

// Bool is true or false, or this default where the option is missing.
func (options Options) Bool(name string, otherwise bool) bool {
	text, there := options.values[name]
	if !there {
		return otherwise
	}
	return text == "true"
}

// Text is a string, or this default where the option is missing.
func (options Options) Text(name, otherwise string) string {
	text, there := options.values[name]
	if !there {
		return otherwise
	}
	return unquote(text)
}

// JSON is the text of a value of another kind, for encoding/json; empty where the option is missing.
func (options Options) JSON(name string) string { return options.values[name] }

// Splits a JSON object, which the host has found to be one, into its members.
func readOptions(text string) Options {
	values := map[string]string{}
	name, depth, start := "", 0, 0
	for at := 0; at < len(text); at++ {
		switch text[at] {
		case '"':
			for at++; text[at] != '"'; at++ {
				if text[at] == '\\' {
					at++
				}
			}
		case '{', '[':
			if depth++; depth == 1 {
				start = at + 1
			}
		case ':':
			if depth == 1 {
				name, start = unquote(strings.TrimSpace(text[start:at])), at+1
			}
		case ',', '}', ']':
			if value := strings.TrimSpace(text[start:at]); depth == 1 && value != "" {
				values[name], start = value, at+1
			}
			if text[at] != ',' {
				depth--
			}
		}
	}
	return Options{values}
}

// The text of a JSON string.
func unquote(quoted string) string {
	unit := func(hexadecimal string) rune {
		number, _ := strconv.ParseUint(hexadecimal, 16, 16)
		return rune(number)
	}
	var text strings.Builder
	for rest := quoted[1 : len(quoted)-1]; rest != ""; {
		if rest[0] != '\\' {
			text.WriteByte(rest[0])
			rest = rest[1:]
			continue
		}
		if rest[1] != 'u' {
			escaped := rest[1]
			if index := strings.IndexByte("bfnrt", escaped); index >= 0 {
				escaped = "\b\f\n\r\t"[index]
			}
			text.WriteByte(escaped)
			rest = rest[2:]
			continue
		}
		character := unit(rest[2:6])
		rest = rest[6:]
		if utf16.IsSurrogate(character) && strings.HasPrefix(rest, `\u`) {
			character = utf16.DecodeRune(character, unit(rest[2:6]))
			rest = rest[6:]
		}
		text.WriteRune(character)
	}
	return text.String()
}
