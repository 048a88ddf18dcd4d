package ludus

import "unsafe"

// The functions of wit/game.wit, in the component model's canonical ABI: a string or list is an address and a length; an
// option, result or variant is a tag and then its value, with room for the longest case; and all of these are words of 32
// bits.

//go:wasmimport ludus:game/random@0.1.0 below
func hostBelow(bound uint32) uint32

// What the host writes or reads, so that it is not collected before the next call.
var kept []any

func address[T any](pointer *T) uint32 { return uint32(uintptr(unsafe.Pointer(pointer))) }

// The host calls this to place the arguments of the call that follows.
//
//go:wasmexport cabi_realloc
func allocate(_, _, _, bytes uint32) uint32 {
	// In units of 8 bytes, since that is the largest alignment there is.
	block := make([]uint64, bytes/8+1)
	kept = append(kept, block)
	return address(&block[0])
}

// Words that are handed to the host.
type words []uint32

func (value words) text(text string) words {
	kept = append(kept, text)
	return append(value, address(unsafe.StringData(text)), uint32(len(text)))
}

func (value words) list(items words, count int) words {
	kept = append(kept, items)
	return append(value, address(unsafe.SliceData(items)), uint32(count))
}

func (value words) texts(texts []string) words {
	var items words
	for _, text := range texts {
		items = items.text(text)
	}
	return value.list(items, len(texts))
}

func (value words) asked(now asked) words {
	if now.over == nil {
		var requests words
		for _, request := range now.requests {
			requests = append(requests, uint32(request.seat)).text(request.prompt)
		}
		// The other case is longer: so is the room for both.
		return append(append(value, 0).list(requests, len(now.requests)), 0, 0, 0, 0)
	}
	kept = append(kept, now.over.Scores)
	value = append(value, 1, address(unsafe.SliceData(now.over.Scores)), uint32(len(now.over.Scores)))
	var counts words
	for _, count := range now.over.Counts {
		counts = append(counts, uint32(count.Seat)).text(count.Name)
		counts = append(counts, uint32(count.Times), uint32(count.Chances))
	}
	return value.list(counts, len(now.over.Counts)).text(now.over.Summary)
}

func (value words) result() uint32 {
	kept = append(kept, value)
	return address(unsafe.SliceData(value))
}

//go:wasmexport ludus:game/game@0.1.0#describe
func describe() uint32 {
	kept = nil
	if exported == nil {
		panic("no game is exported: call ludus.Export in an init function")
	}
	about := exported.about()
	value := words(nil).text(about.Name).text(about.Version).text(about.Summary)
	value = append(value, uint32(about.SeatsMin), uint32(about.SeatsMax), uint32(about.StepsMax))
	return value.text(about.OptionsSchema).texts(about.HousePlayers).texts(about.Abilities).result()
}

//go:wasmexport ludus:game/game@0.1.0#start
func start(seats uint32, options string) uint32 {
	kept = nil
	now, err := exported.start(int(seats), options)
	if err != nil {
		return append(words{1}.text(err.Error()), 0, 0, 0, 0, 0).result()
	}
	return words{0}.asked(now).result()
}

//go:wasmexport ludus:game/game@0.1.0#step
func step(moves unsafe.Pointer, count uint32) uint32 {
	given := make([]Moved[string], count)
	for index, move := range unsafe.Slice((*[3]uint32)(moves), count) {
		text := unsafe.String((*byte)(unsafe.Pointer(uintptr(move[1]))), move[2])
		given[index] = Moved[string]{int(move[0]), text}
	}
	// The texts keep what they lie in from here on.
	kept = nil
	rejections, now := exported.step(given)
	var refused words
	for _, rejection := range rejections {
		refused = append(refused, uint32(rejection.seat)).text(rejection.reason)
	}
	return words(nil).list(refused, len(rejections)).asked(now).result()
}

//go:wasmexport ludus:game/game@0.1.0#legal-moves
func legalMoves(seat uint32) uint32 {
	kept = nil
	moves := exported.legalMoves(int(seat))
	if moves == nil {
		return words{0, 0, 0}.result()
	}
	return words{1}.texts(moves).result()
}

//go:wasmexport ludus:game/game@0.1.0#house-move
func houseMove(seat uint32, player string) uint32 {
	kept = nil
	move, err := exported.houseMove(int(seat), player)
	if err != nil {
		return words{1}.text(err.Error()).result()
	}
	return words{0}.text(move).result()
}

//go:wasmexport ludus:game/game@0.1.0#view
func view(some, seat uint32) uint32 {
	kept = nil
	viewer := Onlooker
	if some == 1 {
		viewer = int(seat)
	}
	return words(nil).text(exported.view(viewer)).result()
}
