//! What the names of a module stand for, as far as its own text says.

use std::collections::{BTreeMap, BTreeSet};

use syn::{FnArg, ImplItem, Item, ReturnType, Type, UseTree};

/// Types with a `Default` that the standard library promises.
const STANDARD: [&str; 21] = [
    "String",
    "Vec",
    "Option",
    "HashMap",
    "HashSet",
    "BTreeMap",
    "BTreeSet",
    "VecDeque",
    "LinkedList",
    "PathBuf",
    "OsString",
    "CString",
    "Duration",
    "Cell",
    "RefCell",
    "Mutex",
    "RwLock",
    "AtomicBool",
    "AtomicUsize",
    "AtomicU64",
    "AtomicU32",
];

/// The types of a module and how to make one.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Declared here.
    declared: BTreeSet<String>,
    /// Imported, with the first part of the path it came by.
    imported: BTreeMap<String, String>,
    /// Anything may have come in by a glob.
    has_foreign_glob: bool,
    /// An expression, from inside the test module, that makes a value of a type declared here.
    made_by: BTreeMap<String, String>,
}

impl Names {
    pub(super) fn of(file: &syn::File) -> Self {
        let mut names = Self::default();
        for item in &file.items {
            names.declare(item);
        }
        for item in &file.items {
            names.learn_to_make(item);
        }
        names
    }

    fn declare(&mut self, item: &Item) {
        match item {
            Item::Struct(item) => self.declared.insert(item.ident.to_string()),
            Item::Enum(item) => self.declared.insert(item.ident.to_string()),
            Item::Union(item) => self.declared.insert(item.ident.to_string()),
            Item::Type(item) => self.declared.insert(item.ident.to_string()),
            Item::Trait(item) => self.declared.insert(item.ident.to_string()),
            Item::Use(item) => {
                self.import(None, &item.tree);
                false
            }
            _ => false,
        };
    }

    fn import(&mut self, root: Option<&str>, tree: &UseTree) {
        match tree {
            UseTree::Path(path) => {
                let ident = path.ident.to_string();
                self.import(Some(root.unwrap_or(&ident)), &path.tree);
            }
            UseTree::Name(name) => {
                let ident = name.ident.to_string();
                self.imported.insert(ident.clone(), root.unwrap_or(&ident).to_owned());
            }
            UseTree::Rename(name) => {
                // Under another name it may be anything.
                self.imported.insert(name.rename.to_string(), String::new());
            }
            UseTree::Glob(_) => self.has_foreign_glob |= !root.is_some_and(is_standard_root),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.import(root, tree)),
        }
    }

    fn learn_to_make(&mut self, item: &Item) {
        match item {
            Item::Struct(item) if item.generics.params.is_empty() => {
                let name = item.ident.to_string();
                if derives_default(&item.attrs) {
                    self.made_by.insert(name.clone(), format!("super::{name}::default()"));
                } else if matches!(item.fields, syn::Fields::Unit) {
                    self.made_by.entry(name.clone()).or_insert(format!("super::{name}"));
                }
            }
            Item::Enum(item) if item.generics.params.is_empty() && derives_default(&item.attrs) => {
                let name = item.ident.to_string();
                self.made_by.insert(name.clone(), format!("super::{name}::default()"));
            }
            Item::Impl(block) if block.generics.params.is_empty() && block.attrs.is_empty() => {
                let Some(name) = plain(&block.self_ty) else { return };
                if !self.declared.contains(&name) {
                    return;
                }
                match &block.trait_ {
                    Some((None, path, _))
                        if path.segments.last().is_some_and(|segment| segment.ident == "Default") =>
                    {
                        self.made_by.insert(name.clone(), format!("super::{name}::default()"));
                    }
                    None if block.items.iter().any(|item| is_plain_new(item, &name)) => {
                        self.made_by.entry(name.clone()).or_insert(format!("super::{name}::new()"));
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }

    /// An expression that makes a value of the type declared here as `name`.
    pub(super) fn make(&self, name: &str) -> Option<&str> {
        self.made_by.get(name).map(String::as_str)
    }

    /// Whether `name` certainly is the standard library's type of that name.
    pub(super) fn is_standard(&self, name: &str) -> bool {
        STANDARD.contains(&name) && self.is_not_foreign(name) && !self.has_foreign_glob
    }

    /// Whether nothing here gives `name` another meaning than the prelude's or the standard library's.
    pub(super) fn is_not_foreign(&self, name: &str) -> bool {
        !self.declared.contains(name) && self.imported.get(name).is_none_or(|root| is_standard_root(root))
    }
}

pub(super) fn is_standard_root(root: &str) -> bool {
    matches!(root, "std" | "core" | "alloc")
}

fn derives_default(attributes: &[syn::Attribute]) -> bool {
    let mut found = false;
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("derive")) {
        // What does not parse derives nothing that we can rely on.
        let _ = attribute.parse_nested_meta(|meta| {
            found |= meta.path.is_ident("Default");
            Ok(())
        });
    }
    found
}

/// `fn new() -> Self`.
fn is_plain_new(item: &ImplItem, owner: &str) -> bool {
    let ImplItem::Fn(method) = item else { return false };
    let signature = &method.sig;
    let returns_self = match &signature.output {
        ReturnType::Type(_, ty) => plain(ty).is_some_and(|name| name == "Self" || name == owner),
        ReturnType::Default => false,
    };
    signature.ident == "new"
        && signature.inputs.iter().all(|input| matches!(input, FnArg::Receiver(_)))
        && signature.inputs.is_empty()
        && signature.generics.params.is_empty()
        && signature.unsafety.is_none()
        && signature.asyncness.is_none()
        && returns_self
}

/// The name of a type that is one word without arguments.
pub(super) fn plain(ty: &Type) -> Option<String> {
    let Type::Path(path) = ty else { return None };
    let ident = path.path.get_ident()?;
    path.qself.is_none().then(|| ident.to_string())
}
