//! `ludus-train watch`: a run that goes on in another process, as it is seen from here.

use std::fs;

use crate::scene::{Scene, end_of, run_folder};

#[test]
fn a_run_that_goes_on_is_told_line_by_line_until_it_ends() {
    let scene = Scene::new(&["steps=3"]);
    let store = scene.store("store");

    let mut training = scene.train(&store).stdout(std::process::Stdio::null()).spawn().expect("ludus-train runs");
    while !run_folder(&store).join("run.json").exists() {
        assert!(training.try_wait().expect("its state").is_none(), "it goes on");
        ludus_trainer::watch::pause(20);
    }
    let mut watching = scene.program(&store);
    watching.args(["watch", "small"]);
    let ended = end_of(watching);
    assert!(training.wait().expect("it ends").success());
    assert_eq!(ended.code, Some(0), "{}", ended.errors);
    let lines: Vec<&str> = ended.output.lines().collect();
    for (line, step) in lines.iter().zip(1..=3) {
        assert!(line.starts_with(&format!("step {step}/3  return ")), "{}", ended.output);
    }
    assert_eq!(lines[3..], ["small  step 3 of 3  finished"]);
}

#[test]
fn how_far_a_run_is_is_told_at_once_and_no_text_makes_a_terminal_do_anything() {
    let scene = Scene::new(&["steps=2"]);
    let store = scene.store("store");
    scene.train_to_the_end(&store);
    let file = run_folder(&store).join("metrics.jsonl");
    let text = fs::read_to_string(&file).unwrap();
    // Somebody's game is called so.
    fs::write(&file, text.replace("\"tictactoe\"", "\"\\u001b[2J\\nx\"")).unwrap();
    let mut watching = scene.program(&store);
    watching.args(["watch", "small", "--once"]);
    let ended = end_of(watching);
    assert_eq!(ended.code, Some(0), "{}", ended.errors);
    assert!(ended.output.starts_with("small  step 2 of 2  finished\nreturn "), "{}", ended.output);
    assert_eq!(ended.output.lines().count(), 7, "{}", ended.output);
    assert!(!ended.output.contains('\u{1b}'), "{}", ended.output);
    assert!(ended.output.contains("\u{fffd}[2J x"), "{}", ended.output);
    let mut nothing = scene.program(&store);
    nothing.args(["watch", "another"]);
    let ended = end_of(nothing);
    assert_eq!(ended.code, Some(2));
    assert!(ended.errors.contains("there is no run another in "), "{}", ended.errors);
}
