//! The report's page in a browser: what is on it, what can be done with it, and that no text on it is more than text.
//!
//! A page is opened without a window, with a script of the test behind its own. What the script finds comes back as a
//! message; whatever the browser has to complain of comes on its standard error, and there has to be nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicBool;

use ludus_host::library::Library;
use ludus_tests::{Silent, library, small_model, small_recipe};
use ludus_trainer::chat::Chat;
use ludus_trainer::plan::Plan;
use ludus_trainer::recipe::read;
use ludus_trainer::report;
use ludus_trainer::run::{self, folder};
use ludus_trainer::run_log::RunLog;
use ludus_trainer::sampled::{from_lines, to_lines};
use ludus_trainer::train::{TrainOptions, train};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A run of a small model.
struct Scene {
    folder: TempDir,
    library: Library,
}

impl Scene {
    fn new(changes: &[&str]) -> Scene {
        let (folder, library) = (tempfile::tempdir().unwrap(), library());
        let model = folder.path().join("model");
        fs::create_dir(&model).unwrap();
        let changes: Vec<String> = changes.iter().map(|change| (*change).to_string()).collect();
        let recipe = read::parse(&small_recipe(&small_model(&model)), "the test's recipe", &changes).unwrap();
        let plan = Plan::from_recipe(recipe, &library).unwrap();
        let stop = AtomicBool::new(false);
        let (store, name) = (folder.path().join("store"), "small".to_string());
        let options = TrainOptions { library: &library, store, name, resume: false, stop: &stop, place: None };
        train(&plan, &options, &mut Silent).unwrap();
        Scene { folder, library }
    }

    fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    fn run_folder(&self) -> PathBuf {
        folder(&self.store(), "small")
    }

    /// The report of the run, as often as wanted.
    fn report(&self, times: usize) -> String {
        let logs: Vec<RunLog> = (0..times).map(|_| RunLog::read(&self.store(), "small").unwrap()).collect();
        report::html(&logs, &self.library, 1000, &mut |_, _| {}).unwrap()
    }

    /// Opens a page so many pixels wide, runs a function's body in it, and returns what that returns.
    fn in_browser(&self, page: &str, width: u32, body: &str) -> Value {
        let path = self.folder.path().join("page.html");
        let (_, word) = page.split_once("nonce-").unwrap();
        let word = &word[..32];
        let script = format!("parent.postMessage(JSON.stringify((() => {{ {body} }})()), '*');");
        fs::write(&path, page.replace("</body>", &format!("<script nonce=\"{word}\">{script}</script></body>")))
            .unwrap();
        // A window of a browser is never as narrow as a phone; a frame in it is.
        let frame = self.folder.path().join("frame.html");
        let hear =
            "onmessage = (event) => { document.getElementById('found').textContent = encodeURIComponent(event.data); }";
        fs::write(
            &frame,
            format!(
                "<pre id=found></pre><script>{hear}</script><iframe src=page.html width={width} height=900></iframe>"
            ),
        )
        .unwrap();
        let dom = open(&frame, self.folder.path());
        let (_, found) = dom.split_once("<pre id=\"found\">").unwrap();
        let found = decoded(found.split_once("</pre>").unwrap().0);
        serde_json::from_str(&found).unwrap_or_else(|_| panic!("the test's script failed: {found:?}"))
    }
}

/// What a page has become once its scripts have run.
fn open(page: &Path, home: &Path) -> String {
    let browser = std::env::var("LUDUS_BROWSER").expect("`just test-report` names a browser");
    let output = Command::new(browser)
        .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-extensions"])
        .args(["--enable-logging=stderr", "--window-size=1400,1000", "--virtual-time-budget=5000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", home.join("profile").display()))
        .arg(format!("file://{}", page.display()))
        .env("HOME", home)
        .output()
        .expect("the browser runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let complaints: Vec<&str> = errors.lines().filter(|line| line.contains("CONSOLE")).collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A text from what `encodeURIComponent` makes of it.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, others @ ..] = rest {
        let (byte, left) = match first {
            b'%' => (u8::from_str_radix(std::str::from_utf8(&others[..2]).unwrap(), 16).unwrap(), &others[2..]),
            plain => (*plain, others),
        };
        bytes.push(byte);
        rest = left;
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
fn the_page_draws_every_number_and_every_token_and_does_what_one_asks_of_it() {
    let scene = Scene::new(&[]);
    let page = scene.report(1);
    let found = scene.in_browser(
        &page,
        1280,
        r##"
        const all = (selector) => [...document.querySelectorAll(selector)];
        const columns = columnsOf(data.runs[0]);
        const chart = all(".chart").find((one) => one.querySelector(".title").textContent === "Return");
        const area = chart.querySelector("svg[role=img]");
        const last = chart.querySelector(".value").textContent;
        area.focus();
        area.dispatchEvent(new KeyboardEvent("keydown", { key: "Home" }));
        const first = chart.querySelector(".value").textContent;
        const step = chart.querySelector(".step").textContent;
        // All episodes, one after the other: is every piece of every reply there, as it was?
        const listed = all(".list button");
        let tokens = 0, same = true;
        for (const [index, button] of listed.entries()) {
            button.click();
            const pieces = repliesOf(data.episodes[index]).flatMap((reply) => reply.pieces);
            const drawn = all(".token").map((token) => token.textContent);
            tokens += drawn.length;
            same &&= JSON.stringify(pieces) === JSON.stringify(drawn);
        }
        document.querySelector(".reply").dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight" }));
        const readout = document.querySelector(".readout").textContent;
        document.querySelector("[value=advantage]").click();
        const shade = document.body.dataset.shade;
        const fields = all(".filters label");
        const choose = (label, value) => {
            const input = fields.find((field) => field.firstChild.textContent === label).querySelector("select, input");
            input.value = value;
            input.dispatchEvent(new Event(input.type === "search" ? "input" : "change"));
            return all(".list button").length;
        };
        const ofStep = choose("Step", "2");
        choose("Step", "");
        const ofHash = choose("Text", data.episodes[3].hash.slice(0, 12).toUpperCase());
        const ofNone = choose("Text", "no such words");
        choose("Text", "");
        const theme = document.getElementById("theme");
        theme.value = "dark";
        theme.dispatchEvent(new Event("change"));
        const nameless = all("a, button, select, input, summary, [role=img], [role=region]").filter((one) => {
            const label = one.closest("label") ?? one.labels?.[0];
            return !(one.getAttribute("aria-label") || one.textContent.trim() || label?.textContent.trim());
        });
        return {
            numbers: columns.size, drawn: all(".legend li").length, still: document.querySelectorAll(".still").length,
            last, first, step, listed: listed.length, tokens, same, readout, shade, ofStep, ofHash, ofNone,
            tables: all("#evaluations table").length, dark: getComputedStyle(document.body).backgroundColor,
            others: all("#curves h3").map((one) => one.textContent).filter((text) => text === "Other numbers").length,
            boards: all(".board").length, nameless: nameless.length,
        };"##,
    );
    let metrics = fs::read_to_string(scene.run_folder().join("metrics.jsonl")).unwrap();
    let returns: Vec<f64> = metrics
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["return_mean"].as_f64().unwrap())
        .collect();
    let near = |shown: &Value, value: f64| (shown.as_str().unwrap().parse::<f64>().unwrap() - value).abs() < 1e-3;
    assert!(near(&found["first"], returns[0]) && near(&found["last"], returns[1]), "{found} {returns:?}");
    assert_eq!(found["step"], "step 1");
    let sampled: usize = [1, 2]
        .iter()
        .flat_map(|&step| {
            from_lines(&fs::read_to_string(run::rollout_file(&scene.run_folder(), step)).unwrap()).unwrap()
        })
        .map(|episode| episode.tokens())
        .sum();
    // Some pieces are of several tokens that share a character.
    let tokens = found["tokens"].as_u64().unwrap() as usize;
    assert!(tokens > sampled / 2 && tokens <= sampled, "{tokens} of {sampled}");
    assert_eq!((&found["listed"], &found["same"]), (&16.into(), &true.into()));
    assert!(found["readout"].as_str().unwrap().contains("· probability "), "{found}");
    assert_eq!((&found["shade"], &found["ofStep"], &found["ofHash"]), (&"advantage".into(), &8.into(), &1.into()));
    assert_eq!((&found["ofNone"], &found["nameless"]), (&0.into(), &0.into()), "{found}");
    let after = fs::read_to_string(scene.run_folder().join("evaluation/after.json")).unwrap();
    assert_eq!(found["tables"], serde_json::from_str::<Vec<Value>>(&after).unwrap().len());
    assert_eq!(found["dark"], "rgb(20, 22, 25)");
    assert_eq!(found["others"], 0, "a number of metrics.jsonl has no place under a heading");
    assert!(found["drawn"].as_u64().unwrap() > 20 && found["boards"].as_u64().unwrap() > 0, "{found}");
}

#[test]
fn several_runs_are_lines_of_the_same_charts_and_a_phone_shows_all_without_going_sideways() {
    let scene = Scene::new(&["steps=1"]);
    let page = scene.report(2);
    let found = scene.in_browser(
        &page,
        390,
        r##"
        const chart = [...document.querySelectorAll(".chart")].find((one) => one.querySelector(".title").textContent === "Return");
        const lines = () => [...chart.querySelectorAll("li")].filter((one) => !one.hidden).length;
        const both = lines();
        document.querySelector("#curves [type=checkbox]").click();
        document.querySelectorAll("details").forEach((one) => { one.open = true; });
        return { both, one: lines(), cards: document.querySelectorAll(".card").length, width: innerWidth,
            sideways: document.documentElement.scrollWidth > document.documentElement.clientWidth };"##,
    );
    assert_eq!(found, json!({ "both": 2, "one": 1, "cards": 2, "width": 390, "sideways": false }));
}

/// What would do something if it were taken for markup, or for the end of the data.
const HOSTILE: &str = "</script><script>window.attacked = 1</script><img src=x onerror='window.attacked = 1'><!--<script>\u{2028}{{data}}&lt;";

#[test]
fn what_a_game_a_model_or_a_file_says_is_text_and_nothing_else() {
    let prompt = serde_json::to_string(HOSTILE).unwrap();
    let items = format!(
        "stage=[{{game=\"math\",options={{items=[{{problem={prompt},answer=\"1\"}}]}},on_illegal=\"random\"}}]"
    );
    let scene = Scene::new(&["steps=1", "task.kind=\"single\"", &items, &format!("reply.system={prompt}")]);
    // The model sampled it too, and a number in the metrics is called so.
    let file = run::rollout_file(&scene.run_folder(), 1);
    let mut episodes = from_lines(&fs::read_to_string(&file).unwrap()).unwrap();
    let chat = Chat::open(&scene.folder.path().join("model")).unwrap();
    for reply in episodes.iter_mut().flat_map(|episode| &mut episode.replies) {
        reply.ids = chat.encode(HOSTILE).unwrap();
        reply.log_probabilities = vec![-0.5; reply.ids.len()];
    }
    fs::write(&file, to_lines(&episodes).unwrap()).unwrap();
    let file = scene.run_folder().join("metrics.jsonl");
    let mut line: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    line[HOSTILE] = json!(0.25);
    line["stages"]["math"]["counts"][HOSTILE] = json!(0.5);
    line["__proto__"] = json!(0.125);
    fs::write(&file, format!("{line}\n")).unwrap();

    let page = scene.report(1);
    let own_scripts = page.matches("</script").count();
    assert_eq!(own_scripts, 2, "the data's and the page's");
    let found = scene.in_browser(
        &page,
        1280,
        r##"
        document.querySelectorAll("details").forEach((one) => { one.open = true; });
        const texts = (selector) => [...document.querySelectorAll(selector)].map((one) => one.textContent);
        return {
            attacked: window.attacked ?? null,
            images: document.images.length, scripts: document.scripts.length,
            prompt: texts(".prompt .said"), reply: texts(".reply .tokens"), system: texts(".system .said"),
            titles: texts(".chart .title"), labels: texts(".legend .label"),
        };"##,
    );
    assert_eq!(
        (&found["attacked"], &found["images"], &found["scripts"]),
        (&Value::Null, &0.into(), &3.into()),
        "{found}"
    );
    let says = |what: &str| found[what].as_array().unwrap().iter().any(|text| text.as_str().unwrap().contains(HOSTILE));
    for what in ["prompt", "reply", "system", "titles", "labels"] {
        assert!(says(what), "{what}: {}", found[what]);
    }
}

#[test]
#[should_panic(expected = "CONSOLE")]
fn an_error_on_a_page_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.html");
    fs::write(&page, "<script>throw new Error('this is noticed')</script>").unwrap();
    open(&page, folder.path());
}

#[test]
fn a_run_without_a_step_is_a_page_too() {
    let scene = Scene::new(&["steps=0"]);
    let page = scene.report(1);
    let found = scene.in_browser(&page, 1280, "return { notes: document.querySelectorAll('#curves .note').length };");
    assert_eq!(found, json!({ "notes": 1 }));
}
