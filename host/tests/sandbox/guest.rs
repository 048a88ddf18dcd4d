//! Makes small games from WebAssembly text, so that a hostile one is a few lines.
//!
//! `Guest::good()` is a whole game for two seats: seat 0 moves once, and it is over. A test replaces what one function
//! returns (`start_returns`, `step_returns`, …) or does (`body`). The layouts below are those of the component model's
//! canonical ABI: a string or list is an address and a length, a variant is a tag byte and then its value.

use std::sync::Arc;

use ludus_host::component::{Component, ComponentError};
use ludus_host::componentize::componentize;
use ludus_host::engine::Allocation;
use ludus_host::fault::Fault;
use ludus_host::instance::Instance;
use ludus_host::library::{Library, LibraryOptions};
use ludus_host::limits::Limits;
use ludus_host::stream::Stream;
use ludus_host::turn::{Count, Move, Outcome, Progress, Rejection, Request, Setup, Turn};

/// Constants lie from here on; the heap follows them.
pub const DATA_START: u32 = 1_024;

/// Each function of the contract, with its core parameters.
pub const FUNCTIONS: [(&str, &str); 6] = [
    ("describe", ""),
    ("start", "(param $seats i32) (param $options i32) (param $options_bytes i32)"),
    ("step", "(param $moves i32) (param $moves_count i32)"),
    ("legal-moves", "(param $seat i32)"),
    ("house-move", "(param $seat i32) (param $player i32) (param $player_bytes i32)"),
    ("view", "(param $some i32) (param $viewer i32)"),
];

/// What the manifest of a test game says where it matters.
pub struct About {
    pub name: &'static str,
    pub steps_max: u32,
    pub schema: String,
}

pub struct Guest {
    /// What lies at `DATA_START`.
    pub data: Vec<u8>,
    /// For each of `FUNCTIONS`: code that leaves the address of its result.
    pub bodies: [String; 6],
    /// More imports of the core module, of WASI preview 1.
    pub imports: &'static str,
    /// More fields of the core module.
    pub extra: String,
    pub memory: &'static str,
}

impl Guest {
    pub fn good() -> Guest {
        let mut guest = Guest {
            data: Vec::new(),
            bodies: Default::default(),
            imports: "",
            extra: String::new(),
            memory: "(memory (export \"memory\") 2)",
        };
        guest.describe(&About { name: "sample", steps_max: 3, schema: r#"{"type":"object"}"#.into() });
        guest.start_returns(&asks(&[0]));
        guest.step_returns(&Progress { rejections: vec![], turn: over(&[1.0, 0.0]) });
        guest.legal_moves_return(Some(&["left".into(), "right".into()]));
        guest.house_move_returns(Ok("left"));
        guest.view_returns("two doors");
        guest
    }

    /// Replaces a function's code. It must leave one i32, or never end.
    pub fn body(mut self, function: &str, code: &str) -> Guest {
        let index = FUNCTIONS.iter().position(|(name, _)| *name == function).expect("a function of the contract");
        self.bodies[index] = code.to_string();
        self
    }

    /// As `body`, but afterwards the function returns what it would have.
    pub fn first(mut self, function: &str, code: &str) -> Guest {
        let index = FUNCTIONS.iter().position(|(name, _)| *name == function).expect("a function of the contract");
        self.bodies[index] = format!("{code} {}", self.bodies[index]);
        self
    }

    pub fn with<Returned>(mut self, change: impl FnOnce(&mut Guest) -> Returned) -> Guest {
        change(&mut self);
        self
    }

    pub fn describe(&mut self, about: &About) {
        let mut words = Vec::new();
        for text in [about.name, "1.0.0", "A game for tests."] {
            words.extend(self.text(text));
        }
        words.extend([2, 2, about.steps_max]);
        words.extend(self.text(&about.schema));
        let player = self.text("leftist");
        words.extend([self.raw_words(&player), 1, 0, 0]);
        self.returns(0, &words);
    }

    pub fn start_returns(&mut self, turn: &Turn) {
        let mut words = vec![0];
        words.extend(self.turn(turn));
        self.returns(1, &words);
    }

    pub fn start_refuses(&mut self, reason: &str) {
        let mut words = vec![1];
        words.extend(self.text(reason));
        self.returns(1, &words);
    }

    /// The address of what `step` returns comes back.
    pub fn step_returns(&mut self, progress: &Progress) -> u32 {
        let mut list = Vec::new();
        for Rejection { seat, reason } in &progress.rejections {
            list.push(*seat);
            list.extend(self.text(reason));
        }
        let mut words = vec![self.raw_words(&list), progress.rejections.len() as u32];
        words.extend(self.turn(&progress.turn));
        self.returns(2, &words)
    }

    pub fn legal_moves_return(&mut self, moves: Option<&[String]>) {
        let words = match moves {
            None => vec![0],
            Some(moves) => {
                let list: Vec<u32> = moves.iter().flat_map(|text| self.text(text)).collect();
                vec![1, self.raw_words(&list), moves.len() as u32]
            }
        };
        self.returns(3, &words);
    }

    pub fn house_move_returns(&mut self, answer: Result<&str, &str>) {
        let (tag, text) = match answer {
            Ok(text) => (0, text),
            Err(reason) => (1, reason),
        };
        let mut words = vec![tag];
        words.extend(self.text(text));
        self.returns(4, &words);
    }

    pub fn view_returns(&mut self, text: &str) {
        let words = self.text(text);
        self.returns(5, &words);
    }

    /// Lays words down and makes a function return their address, which comes back too.
    pub fn returns(&mut self, function: usize, words: &[u32]) -> u32 {
        let address = self.raw_words(words);
        self.bodies[function] = format!("(i32.const {address})");
        address
    }

    fn turn(&mut self, turn: &Turn) -> Vec<u32> {
        match turn {
            Turn::Decide(requests) => {
                let mut list = Vec::new();
                for Request { seat, prompt } in requests {
                    list.push(*seat);
                    list.extend(self.text(prompt));
                }
                vec![0, self.raw_words(&list), requests.len() as u32, 0, 0, 0, 0]
            }
            Turn::Over(Outcome { scores, counts, summary }) => {
                let bits: Vec<u32> =
                    scores.iter().flat_map(|score| [score.to_bits() as u32, (score.to_bits() >> 32) as u32]).collect();
                let mut words = vec![1, self.raw_words(&bits), scores.len() as u32];
                let mut list = Vec::new();
                for Count { seat, name, times, chances } in counts {
                    list.push(*seat);
                    list.extend(self.text(name));
                    list.extend([*times, *chances]);
                }
                words.extend([self.raw_words(&list), counts.len() as u32]);
                words.extend(self.text(summary));
                words
            }
        }
    }

    /// Address and length of a string.
    pub fn text(&mut self, text: &str) -> [u32; 2] {
        [self.bytes(text.as_bytes()), text.len() as u32]
    }

    /// Lays words down; their address.
    pub fn raw_words(&mut self, words: &[u32]) -> u32 {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.bytes(&bytes)
    }

    fn bytes(&mut self, bytes: &[u8]) -> u32 {
        while !self.data.len().is_multiple_of(8) {
            self.data.push(0);
        }
        let address = DATA_START + self.data.len() as u32;
        self.data.extend_from_slice(bytes);
        address
    }

    pub fn core_text(&self) -> String {
        let data: String = self.data.iter().map(|byte| format!("\\{byte:02x}")).collect();
        let heap = (DATA_START as usize + self.data.len()).next_multiple_of(16);
        let functions: String = FUNCTIONS
            .iter()
            .zip(&self.bodies)
            .map(|((name, parameters), body)| {
                format!("(func (export \"ludus:game/game@0.1.0#{name}\") {parameters} (result i32) {body})\n")
            })
            .collect();
        format!(
            "(module
              (import \"ludus:game/random@0.1.0\" \"below\" (func $below (param i32) (result i32)))
              {imports}
              {memory}
              (global $heap (mut i32) (i32.const {heap}))
              (data (i32.const {DATA_START}) \"{data}\")
              (func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32)
                (local $address i32)
                (local.set $address (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
                (global.set $heap (i32.add (local.get $address) (local.get 3)))
                (local.get $address))
              {extra}
              {functions})",
            imports = self.imports,
            memory = self.memory,
            extra = self.extra,
        )
    }

    pub fn bytes_of_component(&self) -> Vec<u8> {
        let core = wat::parse_str(self.core_text()).expect("the text of the module");
        componentize(&core).expect("a component")
    }

    pub fn load(&self, library: &Library) -> Result<Arc<Component>, ComponentError> {
        library.from_bytes(self.bytes_of_component())
    }
}

/// A turn that asks these seats.
pub fn asks(seats: &[u32]) -> Turn {
    Turn::Decide(seats.iter().map(|&seat| Request { seat, prompt: format!("Seat {seat}: left or right?") }).collect())
}

/// A turn that ends the game.
pub fn over(scores: &[f64]) -> Turn {
    Turn::Over(Outcome { scores: scores.to_vec(), counts: vec![], summary: "It is over.".into() })
}

/// Bounds that hostile games reach quickly.
pub const TIGHT: Limits = Limits {
    fuel_per_call: 10_000_000,
    fuel_to_instantiate: 10_000_000,
    memory_bytes_max: 8 << 20,
    table_elements_max: 1_000,
    ..Limits::STANDARD
};

/// A library without folders, with tight bounds.
pub fn library() -> Library {
    open(TIGHT)
}

pub fn open(limits: Limits) -> Library {
    Library::open(LibraryOptions { games_dirs: vec![], cache_dir: None, limits }).expect("a library")
}

pub fn open_with(limits: Limits, allocation: Allocation) -> Library {
    Library::open_with(LibraryOptions { games_dirs: vec![], cache_dir: None, limits }, allocation).expect("a library")
}

pub fn setup() -> Setup {
    Setup { seats: 2, options: "{}".into() }
}

pub fn stream(number: u64) -> Stream {
    Stream::derive(number, &["test".into()])
}

pub fn seat_0_moves() -> Vec<Move> {
    vec![Move { seat: 0, text: "left".into() }]
}

pub fn begin(component: &Arc<Component>) -> Result<(Instance, Turn), Fault> {
    Instance::start(component, &setup(), stream(1))
}

/// Plays a good game to its end.
pub fn play_well(library: &Library) {
    let component = Guest::good().load(library).expect("the good game loads");
    let (mut instance, turn) = begin(&component).expect("it starts");
    assert_eq!(turn, asks(&[0]));
    assert_eq!(instance.legal_moves(0), Ok(Some(vec!["left".into(), "right".into()])));
    assert_eq!(instance.house_move(0, "leftist", stream(2)), Ok("left".into()));
    assert_eq!(instance.view(None), Ok("two doors".into()));
    let progress = instance.step(&seat_0_moves(), stream(3)).expect("it takes the move");
    assert_eq!(progress, Progress { rejections: vec![], turn: over(&[1.0, 0.0]) });
}
