//! Files that nobody here wrote by hand, and that no recipe should touch.

/// Folders with other people's code, or with what a build made.
const VENDORED_FOLDERS: [&str; 12] = [
    "vendor",
    "vendored",
    "node_modules",
    "third_party",
    "third-party",
    "thirdparty",
    "dist",
    "target",
    "site-packages",
    ".venv",
    "venv",
    "__pycache__",
];

/// Endings of what a tool made.
const GENERATED_ENDINGS: [&str; 11] = [
    ".min.js",
    ".min.css",
    ".pb.go",
    ".pb.cc",
    ".pb.h",
    "_pb2.py",
    "_pb2_grpc.py",
    ".generated.ts",
    ".generated.rs",
    ".g.dart",
    ".snap",
];

/// Whether `path` is in a folder of code that is kept elsewhere.
pub fn is_vendored(path: &str) -> bool {
    path.split('/').rev().skip(1).any(|folder| VENDORED_FOLDERS.contains(&folder))
}

/// Whether a tool made the file: by its name, or because it says so in its first ten lines.
pub fn is_generated(path: &str, text: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    GENERATED_ENDINGS.iter().any(|ending| name.ends_with(ending))
        || text.lines().take(10).any(|line| {
            // Spelled in two parts, so that this file does not say it of itself.
            line.contains(concat!("@", "generated"))
                || (line.contains("DO NOT EDIT") && line.to_lowercase().contains("generated"))
        })
}
