//! Drafts for a Rust module.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use syn::spanned::Spanned as _;
use syn::{Attribute, ImplItem, Item, Visibility};
use worker_kit::{Failure, Files, explain, lex, read_text};

use crate::{Drafts, is_mentioned_in_tests};

mod names;
mod value;

use names::Names;

/// A public function or method.
struct Function<'a> {
    signature: &'a syn::Signature,
    /// The type that it is a method of.
    owner: Option<String>,
}

impl Function<'_> {
    fn name(&self) -> String {
        self.signature.ident.to_string()
    }

    fn shown(&self) -> String {
        self.owner.as_ref().map_or_else(|| self.name(), |owner| format!("{owner}::{}", self.name()))
    }

    /// The path from inside the test module.
    fn path(&self) -> String {
        format!("super::{}", self.shown())
    }
}

/// Where drafts go.
enum Place {
    /// Before the closing brace of a test module in the same file.
    Inside { close: usize },
    /// The file of a test module.
    File(String),
    /// A new test module at the end of the same file.
    Append,
}

/// Drafts tests for up to `max` functions of the module `path`.
pub(crate) fn draft(files: &dyn Files, path: &str, text: &str, max: usize) -> Result<Drafts, Failure> {
    let mut drafts = Drafts::default();
    let Ok(file) = syn::parse_file(text) else {
        drafts.left.push("it does not parse as Rust".to_owned());
        return Ok(drafts);
    };
    let names = Names::of(&file);
    let tests_here = test_text(&file, text);
    let (place, existing) = place(files, path, &file, text)?;
    let mut taken: BTreeSet<String> =
        syn::parse_file(&existing).map(|file| function_names(&file.items)).unwrap_or_default();
    taken.extend(file.items.iter().filter(|item| is_test_item(item)).flat_map(|item| match item {
        Item::Mod(module) => {
            module.content.as_ref().map(|(_, items)| function_names(items)).unwrap_or_default()
        }
        _ => BTreeSet::new(),
    }));

    let mut body = String::new();
    for function in functions(&file) {
        if drafts.drafted.len() >= max {
            break;
        }
        let name = function.name();
        let here = !lex::words(lex::Language::Rust, &tests_here, &name).is_empty();
        let there = !lex::words(lex::Language::Rust, &existing, &name).is_empty();
        if name == "main" || here || there || is_mentioned_in_tests(files, &name, ".rs")? {
            continue;
        }
        match statements(&function, &names) {
            Ok(statements) => {
                let test = fresh(&taken, &function);
                let _ = write!(
                    body,
                    "\n#[test]\n#[ignore = \"draft: say what `{}` must do\"]\nfn {test}() {{\n{statements}}}\n",
                    function.shown()
                );
                taken.insert(test);
                drafts.drafted.push(function.shown());
            }
            Err(why) => drafts.left.push(format!("`{}` {why}", function.shown())),
        }
    }
    if !body.is_empty() {
        let change = placed(&place, path, text, &existing, &body);
        // A safety net: what does not parse is not proposed.
        if syn::parse_file(&change.2).is_ok() {
            drafts.file = Some(change);
        } else {
            drafts.left.push("the drafts did not fit into its test module".to_owned());
        }
    }
    Ok(drafts)
}

/// The file to change, its old text if it exists, and its new text.
fn placed(
    place: &Place,
    path: &str,
    text: &str,
    existing: &str,
    body: &str,
) -> (String, Option<String>, String) {
    let indented = || {
        body.split_inclusive('\n')
            .map(|line| if line.trim().is_empty() { line.to_owned() } else { format!("    {line}") })
            .collect::<String>()
    };
    match place {
        Place::File(file) => (file.clone(), Some(existing.to_owned()), format!("{existing}{body}")),
        Place::Inside { close } => {
            let (head, tail) = text.split_at(*close);
            let head = head.trim_end_matches([' ', '\t']);
            let gap = if head.ends_with('\n') { "" } else { "\n" };
            (path.to_owned(), Some(text.to_owned()), format!("{head}{gap}{}{tail}", indented()))
        }
        Place::Append => {
            let gap = if text.ends_with('\n') { "\n" } else { "\n\n" };
            let module = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", indented().trim_start_matches('\n'));
            (path.to_owned(), Some(text.to_owned()), format!("{text}{gap}{module}"))
        }
    }
}

/// Public functions and methods that exist in every build.
fn functions(file: &syn::File) -> Vec<Function<'_>> {
    let public = |visibility: &Visibility, attributes: &[Attribute]| {
        matches!(visibility, Visibility::Public(_)) && !is_conditional(attributes)
    };
    let mut found = Vec::new();
    for item in &file.items {
        match item {
            Item::Fn(function) if public(&function.vis, &function.attrs) => {
                found.push(Function { signature: &function.sig, owner: None });
            }
            Item::Impl(block) if block.trait_.is_none() && !is_conditional(&block.attrs) => {
                let Some(owner) = names::plain(&block.self_ty) else { continue };
                if block.generics.type_params().next().is_some()
                    || block.generics.const_params().next().is_some()
                {
                    continue;
                }
                found.extend(block.items.iter().filter_map(|item| match item {
                    ImplItem::Fn(method) if public(&method.vis, &method.attrs) => {
                        Some(Function { signature: &method.sig, owner: Some(owner.clone()) })
                    }
                    _ => None,
                }));
            }
            _ => {}
        }
    }
    found
}

/// The body of a draft, or why there can be none.
fn statements(function: &Function<'_>, names: &Names) -> Result<String, &'static str> {
    let signature = function.signature;
    let generic = signature.generics.type_params().next().is_some()
        || signature.generics.const_params().next().is_some();
    if generic {
        return Err("is generic: an example has to choose its types");
    }
    let call = value::call(function, names).filter(|_| signature.unsafety.is_none());
    let path = function.path();
    let Some(call) = call else {
        if value::takes_impl(signature) {
            return Err("takes an `impl` argument without a plain example");
        }
        return Ok(format!(
            "    // No simple input: give it one, and say what must come out.\n    let _function = {path};\n"
        ));
    };
    let mut text = call.setup;
    if signature.asyncness.is_some() {
        let _ = writeln!(text, "    let _future = {};", call.expression);
    } else if value::returns_nothing(signature) {
        let _ = writeln!(text, "    {};", call.expression);
    } else {
        let _ = writeln!(text, "    let _answer = {};", call.expression);
    }
    Ok(text)
}

fn fresh(taken: &BTreeSet<String>, function: &Function<'_>) -> String {
    let raw = function.name();
    let name = raw.strip_prefix("r#").unwrap_or(&raw);
    let base = match &function.owner {
        Some(owner) => format!("{}_{name}", snake(owner)),
        None => name.to_owned(),
    };
    let base = format!("{base}_of_the_simplest_input");
    let mut name = base.clone();
    for number in 2.. {
        if !taken.contains(&name) {
            break;
        }
        name = format!("{base}_{number}");
    }
    name
}

fn snake(name: &str) -> String {
    let mut out = String::new();
    for (at, c) in name.char_indices() {
        if c.is_uppercase() && at > 0 {
            out.push('_');
        }
        out.extend(c.to_lowercase());
    }
    out
}

fn is_conditional(attributes: &[Attribute]) -> bool {
    attributes
        .iter()
        .any(|attribute| attribute.path().is_ident("cfg") || attribute.path().is_ident("cfg_attr"))
}

fn is_test_attribute(attribute: &Attribute) -> bool {
    attribute.path().is_ident("cfg")
        && attribute.parse_args::<syn::Ident>().is_ok_and(|condition| condition == "test")
}

fn is_test_item(item: &Item) -> bool {
    let attributes = match item {
        Item::Mod(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        _ => return false,
    };
    attributes.iter().any(is_test_attribute)
}

/// The source of everything that is only there for tests.
fn test_text(file: &syn::File, text: &str) -> String {
    file.items
        .iter()
        .filter(|item| is_test_item(item))
        .filter_map(|item| text.get(item.span().byte_range()))
        .collect()
}

fn function_names(items: &[Item]) -> BTreeSet<String> {
    items
        .iter()
        .filter_map(
            |item| if let Item::Fn(function) = item { Some(function.sig.ident.to_string()) } else { None },
        )
        .collect()
}

/// Where drafts for `path` go, and what is in that file already if it is another one.
fn place(files: &dyn Files, path: &str, file: &syn::File, text: &str) -> Result<(Place, String), Failure> {
    for item in &file.items {
        let Item::Mod(module) = item else { continue };
        if !module.attrs.iter().any(is_test_attribute) {
            continue;
        }
        if let Some((brace, _)) = &module.content {
            let close = brace.span.close().byte_range().start;
            if text.get(close..).is_some_and(|rest| rest.starts_with('}')) {
                return Ok((Place::Inside { close }, String::new()));
            }
        } else if !module.attrs.iter().any(|attribute| attribute.path().is_ident("path")) {
            let candidates = module_files(path, &module.ident.to_string());
            for candidate in candidates {
                match read_text(files, &candidate) {
                    Ok(Some(existing)) => return Ok((Place::File(candidate), existing)),
                    Ok(None) | Err(worker_kit::WorkspaceError::NotFound) => {}
                    Err(error) => return Err(explain(&candidate, error)),
                }
            }
        }
    }
    Ok((Place::Append, String::new()))
}

/// Where `mod name;` in `path` may live (Rust reference, "Module source filenames").
fn module_files(path: &str, name: &str) -> [String; 2] {
    let (folder, file) = path.rsplit_once('/').map_or(("", path), |(folder, file)| (folder, file));
    let stem = file.strip_suffix(".rs").unwrap_or(file);
    let base =
        if matches!(stem, "lib" | "main" | "mod") { folder.to_owned() } else { format!("{folder}/{stem}") };
    let base = base.trim_start_matches('/');
    let slash = if base.is_empty() { "" } else { "/" };
    [format!("{base}{slash}{name}.rs"), format!("{base}{slash}{name}/mod.rs")]
}

#[cfg(test)]
mod tests;
