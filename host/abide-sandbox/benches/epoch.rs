//! What looking at the clock costs: the module of the sealed judge loads the shipped policy, with and without epochs in its code, by turns.
//! Figures are printed, never asserted: `cargo bench -p abide-sandbox --bench epoch`, after `cargo xtask guests`.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    reason = "a measurement stops where it fails, prints, and reads the clock"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use abide_gate::BundleText;
use abide_gate::sealed::read_loaded;
use wasmtime::{Config, Engine, Instance, Memory, Module, Store, TypedFunc};

const TURNS: usize = 60;
/// Of the module, on a thread that has more.
const STACK_BYTES: usize = 64 << 20;

/// The module in an engine of its own.
struct Loader {
    store: Store<()>,
    memory: Memory,
    room: TypedFunc<u32, u32>,
    load: TypedFunc<(), u64>,
}

impl Loader {
    fn new(bytes: &[u8], looks_at_the_clock: bool) -> Self {
        let mut config = Config::new();
        config
            .epoch_interruption(looks_at_the_clock)
            .cranelift_nan_canonicalization(true)
            .max_wasm_stack(STACK_BYTES)
            .async_stack_size(STACK_BYTES + (1 << 20))
            .memory_reservation(4 << 30);
        let engine = Engine::new(&config).unwrap();
        let module = Module::from_binary(&engine, bytes).unwrap();
        let mut store = Store::new(&engine, ());
        if looks_at_the_clock {
            store.set_epoch_deadline(u64::MAX / 2);
        }
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let memory = instance.get_memory(&mut store, "memory").unwrap();
        let room = instance.get_typed_func(&mut store, "room").unwrap();
        let load = instance.get_typed_func(&mut store, "load").unwrap();
        Self { store, memory, room, load }
    }

    fn load(&mut self, bundle: &[u8]) -> Duration {
        let began = Instant::now();
        let at = self.room.call(&mut self.store, u32::try_from(bundle.len()).unwrap()).unwrap();
        self.memory.write(&mut self.store, usize::try_from(at).unwrap(), bundle).unwrap();
        let place = self.load.call(&mut self.store, ()).unwrap();
        let took = began.elapsed();
        let half = |half: u64| usize::try_from(half & u64::from(u32::MAX)).unwrap();
        let (start, length) = (half(place >> 32), half(place));
        let reply = &self.memory.data(&self.store)[start..start + length];
        read_loaded(reply).unwrap().unwrap();
        took
    }
}

fn main() {
    let names: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    if !names.is_empty() && !names.iter().any(|part| "epoch".contains(part.as_str())) {
        return;
    }
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES + (4 << 20));
    thread.spawn(measure).unwrap().join().unwrap();
}

fn measure() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let file =
        std::env::var_os("ABIDE_JUDGE").map_or_else(|| root.join("target/judge/judge.wasm"), PathBuf::from);
    let Ok(bytes) = std::fs::read(file) else {
        return println!("skipped: no sealed judge (`cargo xtask guests`)");
    };
    let modules: BTreeMap<String, String> = std::fs::read_dir(root.join("policies"))
        .unwrap()
        .flatten()
        .filter(|entry| entry.path().extension().is_some_and(|ending| ending == "rego"))
        .map(|entry| {
            (entry.file_name().to_string_lossy().into_owned(), std::fs::read_to_string(entry.path()).unwrap())
        })
        .filter(|(name, _)| !name.ends_with("_test.rego"))
        .collect();
    let bundle = BundleText::new(modules, serde_json::json!({})).unwrap();
    let (mut with, mut without) = (Loader::new(&bytes, true), Loader::new(&bytes, false));
    let mut times: (Vec<Duration>, Vec<Duration>) =
        (0..TURNS).map(|_| (with.load(bundle.to_bytes()), without.load(bundle.to_bytes()))).unzip();
    times.0.sort_unstable();
    times.1.sort_unstable();
    let (with, without) = (times.0[TURNS / 2].as_secs_f64(), times.1[TURNS / 2].as_secs_f64());
    println!(
        "epochs: {:.1} ms with, {:.1} ms without (medians of {TURNS} loads of the shipped policy): {:+.1} %",
        with * 1e3,
        without * 1e3,
        (with / without - 1.0) * 100.0
    );
}
