//! What the programs know of their own making: where libtorch lies, the commit, and the version of wasmtime; and the few lines
//! of C++ by which libtorch is reached where tch does not reach.
//!
//! Libtorch's folder is written in as an rpath, so that the programs run without `LD_LIBRARY_PATH`. A build script's linker
//! arguments reach its own package only, so `tests` names this same file in its Cargo.toml. The folder is the one that
//! torch-sys links against, however it found it (`LIBTORCH`, for one). It is written twice: with links resolved, for a
//! program that outlives its clone's `.cargo/libtorch`; and as found, for a clone whose link set-up has moved to another
//! libtorch.
//!
//! Commit and version stand in what a run writes down about itself. Where there is no git or no lock file they are left out.
//!
//! `aten` is always compiled.
//! `c10d/group.cpp` is compiled where Gloo's headers are, and `cfg(ludus_c10d)` says so; `c10d/nccl.cpp`, where those of NCCL and
//! CUDA are too, becomes a library that the program carries in itself (`cfg(ludus_nccl)`). Set-up fetches the headers.

use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    // Once one such line is there, cargo no longer runs this for every changed file of the package. Those that matter are
    // named: whatever is compiled differs from the commit as soon as one of them does.
    println!("cargo::rerun-if-env-changed=LIBTORCH");
    for path in
        ["build.rs", "aten", "c10d", "src", "../host/src", "../wit", "../Cargo.lock"].iter().filter(|path| exists(path))
    {
        println!("cargo::rerun-if-changed={path}");
    }
    link_to_libtorch();
    println!("cargo::rustc-check-cfg=cfg(ludus_c10d, ludus_nccl)");
    // The tests are built by this file too, and have no C++ of their own.
    if let Some(libtorch) = libtorch().filter(|_| exists("aten")) {
        compile_aten(&libtorch);
        compile_c10d(&libtorch);
    }
    if let Some(commit) = commit() {
        println!("cargo::rustc-env=LUDUS_COMMIT={commit}");
    }
    if let Some(version) = locked_version("wasmtime") {
        println!("cargo::rustc-env=LUDUS_WASMTIME={version}");
    }
}

/// Libtorch's libraries, as torch-sys found them: it declares `links = "tch"`, and cargo hands what it found to packages that
/// depend on it directly.
fn libtorch() -> Option<PathBuf> {
    std::env::var_os("DEP_TCH_LIBTORCH_LIB").map(PathBuf::from)
}

fn link_to_libtorch() {
    let Some(found) = libtorch() else { return };
    if let Ok(resolved) = found.canonicalize() {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{}", resolved.display());
    }
    println!("cargo::rustc-link-arg=-Wl,-rpath,{}", found.display());
}

/// What compiles C++ with libtorch's headers and these.
fn cpp(libtorch: &Path, headers: &[PathBuf]) -> cc::Build {
    let mut build = cc::Build::new();
    build.cpp(true).pic(true).std("c++17").opt_level(2).warnings(false);
    build.define("_GLIBCXX_USE_CXX11_ABI", std::env::var("LIBTORCH_CXX11_ABI").as_deref().unwrap_or("1"));
    // Hidden, so that nothing that is compiled from headers here takes the place of what libtorch has of that name.
    build.flag("-fvisibility=hidden");
    let own = libtorch.join("../include");
    for folder in [&own, &own.join("torch/csrc/api/include")].into_iter().chain(headers) {
        build.flag("-isystem").flag(folder.display().to_string());
    }
    build
}

/// What is computed in C++ on a CPU: with libtorch's threads, and for each width of vectors.
fn compile_aten(libtorch: &Path) {
    let mut build = cpp(libtorch, &[]);
    // Libtorch's own copy: a second one would have threads of its own. Where there is none, one thread has to do.
    let files = std::fs::read_dir(libtorch).into_iter().flatten().flatten().map(|file| file.file_name());
    let openmp = files.filter_map(|name| name.into_string().ok()).find(|name| name.starts_with("libgomp"));
    if openmp.is_some() {
        build.flag("-fopenmp");
    }
    build
        .files(
            [
                "products",
                "projections",
                "layer",
                "attention",
                "few",
                "embedding",
                "fused",
                "distribution",
                "gradients",
                "optimizer",
            ]
            .map(|file| format!("aten/{file}.cpp")),
        )
        .compile("ludus_aten");
    // A file of loops, for processors that have what `flags` name.
    let compile = |file: &str, name: &str, flags: &[&str]| {
        let mut build = cc::Build::new();
        build.cpp(true).pic(true).std("c++17").opt_level(3).warnings(false);
        build.flag("-Wno-psabi").flag("-fvisibility=hidden");
        build.define("LUDUS_NAME", format!("\"{name}\"").as_str());
        build.define("LUDUS_MADE", format!("{file}_{name}").as_str());
        flags.iter().for_each(|flag| _ = build.flag(flag));
        build.file(format!("aten/{file}.cpp")).compile(&format!("ludus_{file}_{name}"));
    };
    let on_x86_64 = std::env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|architecture| architecture == "x86_64");
    compile("kernels", "plain", &["-DLUDUS_LANES=4"]);
    if on_x86_64 {
        compile("kernels", "avx2", &["-DLUDUS_LANES=8", "-mavx2", "-mfma"]);
        let vectors = ["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mfma"];
        compile("kernels", "avx512", &[&vectors[..], &["-DLUDUS_LANES=16"]].concat());
        let tiles = ["-mamx-tile", "-mamx-bf16", "-DLUDUS_AMX"];
        compile("kernels", "amx", &[&vectors[..], &["-DLUDUS_LANES=16"], &tiles].concat());
        let vectors = [&vectors[..], &["-mavx512bf16"]].concat();
        for file in ["linear", "outer"] {
            compile(file, "amx", &[&vectors[..], &tiles].concat());
            compile(file, "avx512bf16", &vectors);
        }
    }
    if let Some(library) = openmp {
        println!("cargo::rustc-link-lib=dylib:+verbatim={library}");
    }
}

/// Makes it possible to train in more than one process, with Gloo, with NCCL too, or not at all.
fn compile_c10d(libtorch: &Path) {
    println!("cargo::rerun-if-env-changed=LUDUS_C10D");
    let fetched = std::env::var_os("LUDUS_C10D").map(|folder| PathBuf::from(folder).join("include"));
    let fetched: Vec<PathBuf> = fetched.into_iter().filter(|folder| folder.exists()).collect();
    for folder in &fetched {
        println!("cargo::rerun-if-changed={}", folder.display());
    }
    let places: Vec<PathBuf> = fetched.iter().cloned().chain(["/usr/include".into()]).collect();
    let have = |places: &[PathBuf], header: &str| places.iter().any(|folder| folder.join(header).exists());
    if !have(&places, "gloo/context.h") {
        return;
    }
    let build = cpp(libtorch, &fetched);
    build.clone().define("USE_C10D_GLOO", None).file("c10d/group.cpp").compile("ludus_c10d");
    println!("cargo::rustc-cfg=ludus_c10d");

    // As PyPI's packages lie beside each other.
    let beside = libtorch.join("../../nvidia");
    let folders = std::fs::read_dir(&beside).into_iter().flatten().flatten().map(|entry| entry.path().join("include"));
    let cuda: Vec<PathBuf> = folders.chain(["/usr/local/cuda/include".into()]).chain(fetched).collect();
    let needed = ["nccl.h", "cuda_runtime_api.h", "crt/host_config.h", "nv/target"];
    if !libtorch.join("libtorch_cuda.so").exists() || !needed.iter().all(|header| have(&cuda, header)) {
        return;
    }
    let library = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default()).join("libludus_nccl.so");
    let mut command = build.get_compiler().to_command();
    for folder in cuda.iter().filter(|folder| folder.exists()) {
        command.arg("-isystem").arg(folder);
    }
    command.args(["-DUSE_C10D_NCCL", "-shared", "c10d/nccl.cpp", "-o"]).arg(&library).arg("-L").arg(libtorch);
    command.args(["-lc10", "-lc10_cuda", "-ltorch_cpu", "-ltorch_cuda"]);
    if command.status().is_ok_and(|status| status.success()) {
        println!("cargo::rustc-cfg=ludus_nccl");
    } else {
        println!("cargo::warning=c10d/nccl.cpp does not compile here: more than one process will compute on CPUs only");
    }
}

/// The commit, with `-dirty` behind it where files differ from it.
fn commit() -> Option<String> {
    // Grows with every commit and checkout.
    let log = git(&["rev-parse", "--git-path", "logs/HEAD"])?;
    if exists(&log) {
        println!("cargo::rerun-if-changed={log}");
    }
    git(&["describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"])
}

/// What git answers in one line.
fn git(arguments: &[&str]) -> Option<String> {
    let answer = Command::new("git").args(arguments).output().ok().filter(|answer| answer.status.success())?;
    Some(String::from_utf8(answer.stdout).ok()?.trim().to_owned()).filter(|line| !line.is_empty())
}

/// The version of a package in the workspace's lock file.
fn locked_version(package: &str) -> Option<String> {
    let lock = std::fs::read_to_string("../Cargo.lock").ok()?;
    let (_, after) = lock.split_once(&format!("\nname = \"{package}\"\nversion = \""))?;
    Some(after.split_once('"')?.0.to_owned())
}

fn exists(path: &str) -> bool {
    Path::new(path).exists()
}
