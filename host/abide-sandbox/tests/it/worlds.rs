//! The contract with workers, spelled out: any change of a world or an interface shows up here.
//!
//! `ABIDE_BLESS=1 cargo nextest run -p abide-sandbox worlds` writes the golden files anew.

use std::fmt::Write as _;
use std::path::Path;

use wit_component::{OutputToString, WitPrinter};
use wit_parser::Resolve;

#[test]
#[expect(clippy::disallowed_methods, reason = "blessing is asked for by environment")]
fn each_world_is_what_it_was() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(root.join("../../wit")).unwrap();
    let mut found = Vec::new();
    for (world, id) in resolve.packages[package].worlds.clone() {
        let mut text = format!("// world {world}: imports, in order\n");
        for (key, _) in &resolve.worlds[id].imports {
            writeln!(text, "//   {}", resolve.name_world_key(key)).unwrap();
        }
        text.push_str("// exports, in order\n");
        for (key, item) in &resolve.worlds[id].exports {
            writeln!(text, "//   {} {}", resolve.name_world_key(key), kind(item)).unwrap();
        }
        found.push((format!("{world}.wit"), text));
    }
    let mut printer = WitPrinter::new(OutputToString::default());
    printer.emit_docs(false);
    printer.print(&resolve, package, &[]).unwrap();
    found.push(("package.wit".to_owned(), format!("{}\n", printer.output)));

    let golden = root.join("tests/golden/worlds");
    let blessed = std::env::var_os("ABIDE_BLESS").is_some();
    for (file, text) in found {
        let path = golden.join(&file);
        if blessed {
            std::fs::create_dir_all(&golden).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        assert_eq!(
            std::fs::read_to_string(&path).unwrap_or_default(),
            text,
            "`{file}` changed: bump the package's version if workers see it"
        );
    }
}

fn kind(item: &wit_parser::WorldItem) -> &'static str {
    match item {
        wit_parser::WorldItem::Interface { .. } => "interface",
        wit_parser::WorldItem::Function(_) => "function",
        wit_parser::WorldItem::Type { .. } => "type",
    }
}
