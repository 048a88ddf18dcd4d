//! What a game in Go may use of its run time and standard library, beyond the SDK.

use std::fs;
use std::sync::{Arc, OnceLock};

use ludus_host::component::Component;
use ludus_host::fault::FaultKind;
use ludus_host::turn::Move;
use serde_json::json;

use crate::harness::{deal, load, stream};

/// The view shows what `Prompt` found out; the move `panic` panics.
const GAME: &str = r#"
package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"ludus"
)

func main() {}

func init() { ludus.Export(manifest, start) }

var manifest = ludus.Manifest{
	Name: "probe", Version: "1.0.0", Summary: "Looks around.", SeatsMin: 1, SeatsMax: 1, StepsMax: 1000,
	OptionsSchema: `{"type":"object","properties":{"text":{"type":"string"},"number":{"type":"number"},` +
		`"yes":{"type":"boolean"},"list":{"type":"array"}}}`,
}

type game struct{ found string }

var garbage [][]byte

func start(_ int, options ludus.Options, random ludus.Random) (ludus.Game[string], error) {
	began := time.Now()
	time.Sleep(time.Hour)
	_, file := os.ReadFile("game.go")
	// More than the heap that collections begin at, again and again.
	for round := range 2000 {
		garbage = append(garbage, make([]byte, 64<<10))
		if round%50 == 0 {
			garbage = nil
		}
	}
	return &game{fmt.Sprintf("%d %v %v %d %q %v %v %s", began.Year(), time.Since(began), errors.Is(file, os.ErrNotExist) || file != nil,
		rand.IntN(1_000_000_000), options.Text("text", "none"), options.Float("number", 1.5), options.Bool("yes", false), options.JSON("list"))}, nil
}

func (game *game) Turn() ludus.Turn { return ludus.Turn{Seats: []int{0}} }
func (game *game) Prompt(int) string { return "Look." }
func (game *game) AskAgain(int) string { return "Look again." }
func (game *game) Parse(_ int, text string) (string, error) { return text, nil }
func (game *game) Play(moves []ludus.Moved[string], _ ludus.Random) {
	if moves[0].Move == "panic" {
		fmt.Println("it is about to happen")
		panic("the sky falls")
	}
}
func (game *game) LegalMoves(int) []string { return nil }
func (game *game) HouseMove(int, string, ludus.Random) (string, error) { return "look", nil }
func (game *game) View(int) string { return game.found }
"#;

fn probe() -> Arc<Component> {
    static PROBE: OnceLock<Arc<Component>> = OnceLock::new();
    let component = PROBE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("game.go"), GAME).unwrap();
        fs::write(folder.path().join("ludus.toml"), "name = \"probe\"\nlanguage = \"go\"\n").unwrap();
        load(folder.path(), &folder.path().join("built"))
    });
    Arc::clone(component)
}

#[test]
fn a_go_game_collects_garbage_while_its_arguments_are_placed() {
    let component = probe();
    let mut game = deal(&component, 1, json!({}), 1);
    // Each move takes 60 KB, so that some of them begin a collection, and the texts of hundreds do not fit at once.
    let text = "look ".repeat(12_000);
    for _ in 0..600 {
        game.step(&[(0, &text)]);
    }
}

#[test]
fn a_go_game_has_a_run_time_that_is_a_function_of_the_seed() {
    let component = probe();
    let mut views = Vec::new();
    for seed in [1, 1, 2] {
        let mut game = deal(&component, 1, json!({}), seed);
        assert_eq!(game.instance.legal_moves(0), Ok(None));
        game.step(&[(0, "look")]);
        views.push(game.instance.view(Some(0)).unwrap());
    }
    // The clock stands still but for the hour that was slept, there are no files, and a seed's luck is its own.
    assert!(views[0].starts_with("2000 1h0m0s true ") && views[0].ends_with(" \"none\" 1.5 false "), "{}", views[0]);
    assert_eq!(views[0], views[1]);
    assert_ne!(views[0], views[2]);

    let options =
        json!({ "text": "a \"b\", {c}: ü\n\u{1}\\", "number": -2.5e3, "yes": true, "list": [1, { "a": "]" }] });
    let view = deal(&component, 1, options, 1).instance.view(None).unwrap();
    let expected = r#" "a \"b\", {c}: ü\n\x01\\" -2500 true [1,{"a":"]"}]"#;
    assert!(view.ends_with(expected), "{view}");

    // A panic is a fault that says why.
    let mut game = deal(&component, 1, json!({}), 1);
    let moves = [Move { seat: 0, text: "panic".to_string() }];
    let fault = game.instance.step(&moves, stream(1, 1)).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Trap);
    assert!(fault.detail.contains("stdout: it is about to happen"), "{}", fault.detail);
    assert!(fault.detail.contains("panic: the sky falls"), "{}", fault.detail);
}
